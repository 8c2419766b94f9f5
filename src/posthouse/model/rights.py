"""Rights on folders, wide enough for MAPI; IMAP, DAV and EWS are masks over them.

Spec: [MS-OXCPERM] v18 §2.2.7 (PidTagMemberRights), RFC 4314 §2.1.
"""

from __future__ import annotations

from enum import IntFlag


class Rights(IntFlag):
    """What a principal may do with a folder."""

    NONE = 0
    READ_ANY = 0x001
    CREATE = 0x002
    EDIT_OWNED = 0x008
    DELETE_OWNED = 0x010
    EDIT_ANY = 0x020
    DELETE_ANY = 0x040
    CREATE_SUBFOLDER = 0x080
    OWNER = 0x100
    CONTACT = 0x200
    VISIBLE = 0x400
    FREE_BUSY_SIMPLE = 0x800
    FREE_BUSY_DETAILED = 0x1000
    SEND_AS = 0x10000
    SEND_ON_BEHALF = 0x20000
    STORE_SEEN = 0x40000

    REVIEWER = READ_ANY | VISIBLE
    EDITOR = (
        READ_ANY | CREATE | EDIT_ANY | DELETE_ANY | EDIT_OWNED | DELETE_OWNED | VISIBLE | STORE_SEEN
    )
    ALL = EDITOR | CREATE_SUBFOLDER | OWNER | CONTACT | FREE_BUSY_SIMPLE | FREE_BUSY_DETAILED
