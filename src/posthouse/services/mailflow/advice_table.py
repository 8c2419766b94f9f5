"""What a refusal means in plain words, and what the sender can do about it.

Spec: RFC 3463 §3 (enhanced status codes), RFC 5248 (registry), RFC 7372 (authentication failures).
"""

from __future__ import annotations

_BY_STATUS = {
    "5.1.0": "the other server does not know this address; check how it is written",
    "5.1.1": "there is nobody of this name at that domain; check how the address is written",
    "5.1.2": "the domain does not exist; check what stands behind the @",
    "5.1.3": "this is not a valid address; check how it is written",
    "5.1.6": "the recipient has moved and left no new address",
    "5.1.8": "the other server does not accept your address as a sender; tell your administrator",
    "5.1.10": "this domain takes no mail at all; reach the recipient some other way",
    "5.2.0": "the mailbox cannot be used; reach the recipient some other way",
    "5.2.1": "the mailbox is switched off; reach the recipient some other way",
    "5.2.2": "the recipient's mailbox is full; try again when there is room",
    "4.2.2": "the recipient's mailbox is full",
    "5.2.3": "the message is larger than this recipient may get; send a link instead of the file",
    "5.3.4": "the message is too large for the other server; send a link instead of the file",
    "5.4.1": "the other server does not take mail for this domain; check what stands behind the @",
    "5.4.4": "no mail server was found for the domain; check what stands behind the @",
    "5.4.6": "the message went in circles; tell your administrator",
    "5.4.14": "the message went in circles; tell your administrator",
    "5.5.3": "too many recipients; send to fewer at once",
    "5.6.0": "the other server could not read the message's format",
    "5.6.3": "the other server cannot take this kind of content; send it as an attachment",
    "5.6.7": "the other server cannot take international addresses",
    "5.7.0": "the other server refused the message by its rules; tell your administrator",
    "5.7.1": "the other server refused the message by its rules; ask the recipient by other means",
    "5.7.20": "the signature (DKIM) was not accepted; tell your administrator",
    "5.7.23": "the sender check (SPF) failed at the other server; tell your administrator",
    "5.7.25": "our server's name in DNS (PTR) is not accepted; tell your administrator",
    "5.7.26": "sender checks (SPF, DKIM) failed at the other server; tell your administrator",
    "4.4.1": "the other server did not answer",
    "4.4.2": "the connection to the other server broke",
    "4.4.3": "the domain's name servers did not answer",
    "4.4.7": "the other server could not be reached in time; check the address and send it again",
    "5.4.7": "the other server could not be reached in time; check the address and send it again",
    "4.7.0": "the other server asks us to come back later",
    "4.7.1": "the other server asks us to come back later (greylisting)",
    "4.7.5": "no safe connection to the other server could be made",
    "4.7.8": "our server could not log in at its relay; tell your administrator",
    "4.7.10": "the other server offers no encryption, which this mail needs",
}
_BY_WORDS = (
    (
        ("spamhaus", "blocklist", "blacklist", "listed at", "black list", "reputation"),
        "our server is on a block list that the other side uses; tell your administrator",
    ),
    (("spam", "junk", "content rejected"), "the other server took the message for spam"),
    (("greylist", "graylist", "try again later"), "the other server asks us to come back later"),
    (
        ("user unknown", "no such user", "unknown user", "does not exist", "mailbox unavailable"),
        "there is nobody of this name at that domain; check how the address is written",
    ),
    (("quota", "mailbox full", "mailbox is full"), "the recipient's mailbox is full"),
    (
        ("relay", "not permitted to relay"),
        "the other server does not take mail for this domain; check what stands behind the @",
    ),
    (("spf", "dkim", "dmarc"), "sender checks failed at the other server; tell your administrator"),
    (
        ("ptr", "reverse dns", "rdns"),
        "our server's name in DNS is not accepted; tell your administrator",
    ),
)
_BY_KIND = {
    "5": "the other server refused the message",
    "4": "the other server could not take the message now",
}


def advice_for(status: str, reply: str) -> str:
    """Plain words for a refusal, by its status, else by words in the reply."""
    known = _BY_STATUS.get(status)
    is_vague = known is None or status in ("5.7.1", "5.7.0", "5.2.0", "4.7.0", "5.1.0")
    if is_vague:
        lowered = reply.lower()
        for words, advice in _BY_WORDS:
            if any(word in lowered for word in words):
                return advice
    return known or _BY_KIND.get(status[:1], "the message could not be delivered")
