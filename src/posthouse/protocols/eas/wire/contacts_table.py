"""Which element of a contact says which field.

Spec: [MS-ASCNTC] §2.2.2.
"""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "Contacts:Title": "title",
    "Contacts:FirstName": "first",
    "Contacts:MiddleName": "middle",
    "Contacts:LastName": "last",
    "Contacts:Suffix": "suffix",
    "Contacts:YomiFirstName": "phonetic_first",
    "Contacts:YomiLastName": "phonetic_last",
    "Contacts:YomiCompanyName": "phonetic_company",
    "Contacts:CompanyName": "company",
    "Contacts:Department": "department",
    "Contacts:JobTitle": "job_title",
    "Contacts:OfficeLocation": "office_location",
    "Contacts:AssistantName": "assistant",
    "Contacts:Spouse": "spouse",
    "Contacts:BusinessPhoneNumber": "business_phone",
    "Contacts:Business2PhoneNumber": "business2_phone",
    "Contacts:HomePhoneNumber": "home_phone",
    "Contacts:Home2PhoneNumber": "home2_phone",
    "Contacts:MobilePhoneNumber": "mobile_phone",
    "Contacts:PagerNumber": "pager",
    "Contacts:CarPhoneNumber": "car_phone",
    "Contacts:RadioPhoneNumber": "radio_phone",
    "Contacts:AssistantPhoneNumber": "assistant_phone",
    "Contacts:BusinessFaxNumber": "business_fax",
    "Contacts:HomeFaxNumber": "home_fax",
    "Contacts:WebPage": "web_page",
    "Contacts2:NickName": "nickname",
    "Contacts2:ManagerName": "manager",
    "Contacts2:CompanyMainPhone": "company_main_phone",
    "Contacts2:MMS": "mms",
    "Contacts2:IMAddress": "im1",
    "Contacts2:IMAddress2": "im2",
    "Contacts2:IMAddress3": "im3",
    "Contacts2:CustomerId": "customer_id",
    "Contacts2:GovernmentId": "government_id",
    "Contacts2:AccountName": "account_name",
}
"""Fields that are a text."""

EMAILS: Final = {
    "Contacts:Email1Address": "email1",
    "Contacts:Email2Address": "email2",
    "Contacts:Email3Address": "email3",
}

DATES: Final = {
    "Contacts:Birthday": "birthday",
    "Contacts:Anniversary": "anniversary",
}

ADDRESSES: Final = {
    f"Contacts:{kind}Address{tag}": (f"{kind.lower()}_address", part)
    for kind in ("Business", "Home", "Other")
    for tag, part in (
        ("Street", "street"),
        ("City", "city"),
        ("State", "state"),
        ("PostalCode", "postal_code"),
        ("Country", "country"),
    )
}
"""Field and which part of it."""

LISTS: Final = {
    "Contacts:Categories": ("Category", "categories"),
    "Contacts:Children": ("Child", "children"),
}
"""Tag of one of them, and the field."""

NAME_TAGS: Final = tuple(TEXTS)[:5]
"""Of which a shown name is made."""
