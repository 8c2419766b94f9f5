"""Identifiers: what names what.

Notes:
    A mailbox, item or folder number means something only inside the space named in its docstring.
    Every number is from 1 up and below 2^48 (MAPI's limit); 0 means "none" or "nothing seen yet".
"""

from __future__ import annotations

from typing import NewType

MailboxId = NewType("MailboxId", int)
"""A mailbox, unique in the installation."""

FolderId = NewType("FolderId", int)
"""A folder, unique in its mailbox; never reused."""

ItemId = NewType("ItemId", int)
"""An item, unique in its mailbox; never reused; the same after a move."""

Uid = NewType("Uid", int)
"""IMAP's unique id of an item in one folder: below 2^32, growing, never reused."""

ChangeNumber = NewType("ChangeNumber", int)
"""A position in a mailbox's change log. Order of numbers is order of commits."""

PrincipalId = NewType("PrincipalId", int)
"""A person, group, room, shared mailbox or service in the directory."""

DeviceId = NewType("DeviceId", int)
"""A device password of one person; 0 is the person's own password."""

ViewId = NewType("ViewId", int)
"""Whose 'already fetched and put away' list: the DeviceId of the login that made it; in others'
mailboxes with the person's PrincipalId before it (``protocols/pop3/reach.py``)."""

QueueId = NewType("QueueId", int)
"""A message waiting in the outbound queue."""

BlobHash = NewType("BlobHash", bytes)
"""SHA-256 (32 bytes) of a blob in its stored form."""
