"""Code pages of ActiveSync: which token stands for which tag.

Spec: [MS-ASWBXML] v22 §2.1.2.1.

Notes:
    Tags are spelled as in Microsoft's schemas, and a namespace is the name of its page without a
    colon. A line begins with the token of its first tag (hexadecimal); those behind it count up.
    Tokens of old versions of the protocol stay: they name what an old client sent, in the log.
"""

from __future__ import annotations

from typing import Final

_FIRST_TOKEN = 0x05
_LAST_TOKEN = 0x3F

_PAGES: Final = {
    "AirSync": """
        05 Sync Responses Add Change Delete Fetch SyncKey ClientId ServerId Status Collection Class Version
        12 CollectionId GetChanges MoreAvailable WindowSize Commands Options FilterType Truncation RTFTruncation
        1B Conflict Collections ApplicationData DeletesAsMoves NotifyGUID Supported SoftDelete MIMESupport
        23 MIMETruncation Wait Limit Partial ConversationMode MaxItems HeartbeatInterval
    """,
    "Contacts": """
        05 Anniversary AssistantName AssistantPhoneNumber Birthday Body BodySize BodyTruncated
        0C Business2PhoneNumber BusinessAddressCity BusinessAddressCountry BusinessAddressPostalCode
        10 BusinessAddressState BusinessAddressStreet BusinessFaxNumber BusinessPhoneNumber CarPhoneNumber
        15 Categories Category Children Child CompanyName Department Email1Address Email2Address Email3Address
        1E FileAs FirstName Home2PhoneNumber HomeAddressCity HomeAddressCountry HomeAddressPostalCode
        24 HomeAddressState HomeAddressStreet HomeFaxNumber HomePhoneNumber JobTitle LastName MiddleName
        2B MobilePhoneNumber OfficeLocation OtherAddressCity OtherAddressCountry OtherAddressPostalCode
        30 OtherAddressState OtherAddressStreet PagerNumber RadioPhoneNumber Spouse Suffix Title WebPage
        38 YomiCompanyName YomiFirstName YomiLastName CompressedRTF Picture Alias WeightedRank
    """,
    "Email": """
        05 Attachment Attachments AttName AttSize AttOId AttMethod AttRemoved Body BodySize BodyTruncated
        0F DateReceived DisplayName DisplayTo Importance MessageClass Subject Read To Cc From ReplyTo AllDayEvent
        1B Categories Category DtStamp EndTime InstanceType BusyStatus Location MeetingRequest Organizer
        24 RecurrenceId Reminder ResponseRequested Recurrences Recurrence Type Until Occurrences Interval
        2D DayOfWeek DayOfMonth WeekOfMonth MonthOfYear StartTime Sensitivity TimeZone GlobalObjId ThreadTopic
        36 MIMEData MIMETruncated MIMESize InternetCPID Flag Status ContentClass FlagType CompleteTime
        3F DisallowNewTimeProposal
    """,
    "AirNotify": """
        05 Notify Notification Version LifeTime DeviceInfo Enable Folder ServerId DeviceAddress
        0E ValidCarrierProfiles CarrierProfile Status Responses Devices Device Id Expiry NotifyGUID
        17 DeviceFriendlyName
    """,
    "Calendar": """
        05 Timezone AllDayEvent Attendees Attendee Email Name Body BodyTruncated BusyStatus Categories Category
        10 Compressed_RTF DtStamp EndTime Exception Exceptions Deleted ExceptionStartTime Location MeetingStatus
        19 OrganizerEmail OrganizerName Recurrence Type Until Occurrences Interval DayOfWeek DayOfMonth
        22 WeekOfMonth MonthOfYear Reminder Sensitivity Subject StartTime UID AttendeeStatus AttendeeType
        2B Attachment Attachments AttName AttSize AttOid AttMethod AttRemoved DisplayName DisallowNewTimeProposal
        34 ResponseRequested AppointmentReplyTime ResponseType CalendarType IsLeapMonth FirstDayOfWeek
        3A OnlineMeetingConfLink OnlineMeetingExternalLink ClientUid
    """,
    "Move": "05 MoveItems Move SrcMsgId SrcFldId DstFldId Response Status DstMsgId",
    "GetItemEstimate": "05 GetItemEstimate Version Collections Collection Class CollectionId DateTime Estimate Response Status",
    "FolderHierarchy": """
        05 Folders Folder DisplayName ServerId ParentId Type Response Status ContentClass Changes Add Delete
        11 Update SyncKey FolderCreate FolderDelete FolderUpdate FolderSync Count Version
    """,
    "MeetingResponse": """
        05 CalendarId CollectionId MeetingResponse RequestId Request Result Status UserResponse Version
        0E InstanceId
        10 ProposedStartTime ProposedEndTime SendResponse
    """,
    "Tasks": """
        05 Body BodySize BodyTruncated Categories Category Complete DateCompleted DueDate UtcDueDate Importance
        0F Recurrence Type Start Until Occurrences Interval DayOfMonth DayOfWeek WeekOfMonth MonthOfYear
        19 Regenerate DeadOccur ReminderSet ReminderTime Sensitivity StartDate UtcStartDate Subject CompressedRTF
        22 OrdinalDate SubOrdinalDate CalendarType IsLeapMonth FirstDayOfWeek
    """,
    "ResolveRecipients": """
        05 ResolveRecipients Response Status Type Recipient DisplayName EmailAddress Certificates Certificate
        0E MiniCertificate Options To CertificateRetrieval RecipientCount MaxCertificates MaxAmbiguousRecipients
        15 CertificateCount Availability StartTime EndTime MergedFreeBusy Picture MaxSize Data MaxPictures
    """,
    "ValidateCert": "05 ValidateCert Certificates Certificate CertificateChain CheckCRL Status",
    "Contacts2": """
        05 CustomerId GovernmentId IMAddress IMAddress2 IMAddress3 ManagerName CompanyMainPhone AccountName
        0D NickName MMS
    """,
    "Ping": "05 Ping AutdState Status HeartbeatInterval Folders Folder Id Class MaxFolders Version",
    "Provision": """
        05 Provision Policies Policy PolicyType PolicyKey Data Status RemoteWipe EASProvisionDoc
        0E DevicePasswordEnabled AlphanumericDevicePasswordRequired RequireStorageCardEncryption
        11 PasswordRecoveryEnabled DocumentBrowseEnabled AttachmentsEnabled MinDevicePasswordLength
        15 MaxInactivityTimeDeviceLock MaxDevicePasswordFailedAttempts MaxAttachmentSize
        18 AllowSimpleDevicePassword DevicePasswordExpiration DevicePasswordHistory AllowStorageCard AllowCamera
        1D RequireDeviceEncryption AllowUnsignedApplications AllowUnsignedInstallationPackages
        20 MinDevicePasswordComplexCharacters AllowWiFi AllowTextMessaging AllowPOPIMAPEmail AllowBluetooth
        25 AllowIrDA RequireManualSyncWhenRoaming AllowDesktopSync MaxCalendarAgeFilter AllowHTMLEmail
        2A MaxEmailAgeFilter MaxEmailBodyTruncationSize MaxEmailHTMLBodyTruncationSize RequireSignedSMIMEMessages
        2E RequireEncryptedSMIMEMessages RequireSignedSMIMEAlgorithm RequireEncryptionSMIMEAlgorithm
        31 AllowSMIMEEncryptionAlgorithmNegotiation AllowSMIMESoftCerts AllowBrowser AllowConsumerEmail
        35 AllowRemoteDesktop AllowInternetSharing UnapprovedInROMApplicationList ApplicationName
        39 ApprovedApplicationList Hash AccountOnlyRemoteWipe
    """,
    "Search": """
        05 Search
        07 Store Name Query Options Range Status Response Result Properties Total EqualTo Value And Or FreeText
        17 DeepTraversal LongId RebuildResults LessThan GreaterThan Schema Supported UserName Password
        20 ConversationId Picture MaxSize MaxPictures
    """,
    "GAL": """
        05 DisplayName Phone Office Title Company Alias FirstName LastName HomePhone MobilePhone EmailAddress
        10 Picture Status Data
    """,
    "AirSyncBase": """
        05 BodyPreference Type TruncationSize AllOrNone
        0A Body Data EstimatedDataSize Truncated Attachments Attachment DisplayName FileReference Method
        13 ContentId ContentLocation IsInline NativeBodyType ContentType Preview BodyPartPreference BodyPart
        1B Status Add Delete ClientId Content Location Annotation Street City State Country PostalCode Latitude
        28 Longitude Accuracy Altitude AltitudeAccuracy LocationUri InstanceId
    """,
    "Settings": """
        05 Settings Status Get Set Oof OofState StartTime EndTime OofMessage AppliesToInternal
        0F AppliesToExternalKnown AppliesToExternalUnknown Enabled ReplyMessage BodyType DevicePassword Password
        16 DeviceInformation Model IMEI FriendlyName OS OSLanguage PhoneNumber UserInformation EmailAddresses
        1F SMTPAddress UserAgent EnableOutboundSMS MobileOperator PrimarySmtpAddress Accounts Account AccountId
        27 AccountName UserDisplayName SendDisabled
        2B RightsManagementInformation
    """,
    "DocumentLibrary": "05 LinkId DisplayName IsFolder CreationDate LastModifiedDate IsHidden ContentLength ContentType",
    "ItemOperations": """
        05 ItemOperations Fetch Store Options Range Total Properties Data Status Response Version Schema Part
        12 EmptyFolderContents DeleteSubFolders UserName Password Move DstFldId ConversationId MoveAlways
    """,
    "ComposeMail": """
        05 SendMail SmartForward SmartReply SaveInSentItems ReplaceMime Type Source FolderId ItemId LongId
        0F InstanceId Mime ClientId Status AccountId
        15 Forwardees Forwardee ForwardeeName ForwardeeEmail
    """,
    "Email2": """
        05 UmCallerID UmUserNotes UmAttDuration UmAttOrder ConversationId ConversationIndex LastVerbExecuted
        0C LastVerbExecutionTime ReceivedAsBcc Sender CalendarType IsLeapMonth AccountId FirstDayOfWeek
        13 MeetingMessageType
        15 IsDraft Bcc Send
    """,
    "Notes": "05 Subject MessageClass LastModifiedDate Categories Category",
    "RightsManagement": """
        05 RightsManagementSupport RightsManagementTemplates RightsManagementTemplate RightsManagementLicense
        09 EditAllowed ReplyAllowed ReplyAllAllowed ForwardAllowed ModifyRecipientsAllowed ExtractAllowed
        0F PrintAllowed ExportAllowed ProgrammaticAccessAllowed Owner ContentExpiryDate TemplateID TemplateName
        16 TemplateDescription ContentOwner RemoveRightsManagementProtection
    """,
    "Find": """
        05 Find SearchId ExecuteSearch MailBoxSearchCriterion Query Status FreeText Options Range DeepTraversal
        11 Response Result Properties Preview HasAttachments Total DisplayCc DisplayBcc GalSearchCriterion
        20 MaxPictures MaxSize Picture
    """,
}
"""Namespace -> tags, from page 0."""

NAMESPACES: Final = tuple(_PAGES)
"""By number of the page."""

_OCTETS: Final = frozenset(
    {
        "ResolveRecipients:Data",
        "Search:ConversationId",
        "GAL:Data",
        "AirSyncBase:Content",
        "ItemOperations:ConversationId",
        "ComposeMail:Mime",
        "Email2:ConversationId",
        "Email2:ConversationIndex",
    }
)


def _tokens(table: str) -> dict[str, int]:
    tokens: dict[str, int] = {}
    for line in table.strip().splitlines():
        first, *tags = line.split()
        for token, tag in enumerate(tags, int(first, 16)):
            if tag in tokens or token in tokens.values():
                raise ValueError(f"{tag} or {token:#x} stands twice on a page")
            if not _FIRST_TOKEN <= token <= _LAST_TOKEN:
                raise ValueError(f"{tag} has the token {token:#x}")
            tokens[tag] = token
    return tokens


TOKENS: Final = {namespace: _tokens(table) for namespace, table in _PAGES.items()}
"""Namespace -> tag -> token, 0x05 to 0x3F."""

NAMES: Final = {
    f"{namespace}:{tag}": (namespace, tag) for namespace, tags in TOKENS.items() for tag in tags
}
"""``Namespace:Tag`` -> its two halves."""

OCTET_TAGS: Final = frozenset(NAMES[name] for name in _OCTETS)
"""(namespace, tag) of what holds octets, written as OPAQUE; all others hold text."""
