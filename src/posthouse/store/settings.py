"""Settings of a mailbox: one JSON object that many share, each with keys of its own.

Notes:
    Whoever changes a key reads the whole, changes it, and writes it back under the condition that
    nobody has changed it meanwhile; else it begins anew. So nobody undoes what another has set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from posthouse.model.batch import Batch, ChangeMailbox, Commit, PolicyUnchanged
from posthouse.model.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.ids import MailboxId
    from posthouse.ports.records import Records

_TRIES = 8


async def change_settings(
    records: Records, mailbox_id: MailboxId, change: Callable[[dict[str, Any]], None]
) -> str:
    """Change keys of a mailbox's settings; the others stay as they are.

    Args:
        records: where the mailbox is.
        mailbox_id: which.
        change: changes the object in place; called again when somebody else was faster.

    Returns:
        All settings as they are now, JSON text.

    Raises:
        NotFound: no such mailbox.
        Unavailable: not now, or others keep changing the settings.
    """
    for _ in range(_TRIES):
        before = (await records.mailbox(mailbox_id)).settings
        settings = settings_of(before)
        known = msgspec.json.encode(settings).decode()
        change(settings)
        text = msgspec.json.encode(settings).decode()
        if text == known:
            return text
        batch = Batch(
            mailbox_id,
            (ChangeMailbox(settings=text),),
            (PolicyUnchanged(settings=before),),
        )
        try:
            await records.apply(Commit((batch,)))
        except Conflict:
            continue
        return text
    raise Unavailable(f"the settings of mailbox {mailbox_id} keep changing")


def settings_of(text: str) -> dict[str, Any]:
    """The object in a mailbox's settings; an empty one when there is none."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}
