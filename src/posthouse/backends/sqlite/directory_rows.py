"""Rows of the directory as values."""

from __future__ import annotations

import json
from typing import Any

from posthouse.model.ids import DeviceId, MailboxId, PrincipalId
from posthouse.model.people import Device, Principal, PrincipalKind, ScramVerifier, Secret

# Bytes enter here: SQLite's columns have the types that the schema says.
Row = tuple[Any, ...]

# Asking the enumeration costs as much as all the rest of a row.
_KINDS = {kind.value: kind for kind in PrincipalKind}


def principal_from_row(row: Row) -> Principal:
    """``row``: the table's columns in the order of the schema; later steps only add behind."""
    return Principal(
        PrincipalId(row[0]),
        _KINDS[row[1]],
        address=row[2],
        name=row[3],
        mailbox_id=MailboxId(row[4]),
        is_disabled=bool(row[5]),
        forward_to=tuple(json.loads(row[6])),
        keeps_copy=bool(row[7]),
        version=row[8],
    )


def secret_from_row(row: Row) -> Secret:
    """``row``: device_id, password_hash, stored_key, server_key, scope."""
    return Secret(DeviceId(row[0]), row[1], ScramVerifier(row[2], row[3]), _scope(row[4]))


def device_from_row(row: Row) -> Device:
    """``row``: device_id, principal_id, label, created_at, last_used_at, last_used_for, scope."""
    return Device(
        DeviceId(row[0]),
        PrincipalId(row[1]),
        label=row[2],
        created_at=row[3],
        last_used_at=row[4],
        last_used_for=row[5],
        scope=_scope(row[6]),
    )


def _scope(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))
