"""In which form a client wants its items: versions, body preferences.

Spec: [MS-ASCMD] §2.2.3.125 (Options); [MS-ASAIRS] §2.2.2.12 (BodyPreference).
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class Version(IntEnum):
    """Versions of the protocol, to be compared."""

    V14_1 = 141
    V16_0 = 160
    V16_1 = 161

    @property
    def text(self) -> str:
        """As headers have it."""
        return f"{self // 10}.{self % 10}"


class BodyKind(IntEnum):
    """The numbers are [MS-ASAIRS]'s Type."""

    PLAIN = 1
    HTML = 2
    RTF = 3
    MIME = 4


class BodyPreference(Struct, frozen=True):
    """One form of body that a client takes.

    Attributes:
        kind: which.
        truncation_bytes: at most so many octets; None: all.
        all_or_none: rather nothing than a part.
        preview: so many characters of plain text are wanted beside it; 0 none.
    """

    kind: BodyKind = BodyKind.PLAIN
    truncation_bytes: int | None = None
    all_or_none: bool = False
    preview: int = 0


class MimeSupport(IntEnum):
    """For which messages MIME is wanted (the numbers are [MS-ASCMD]'s)."""

    NEVER = 0
    SIGNED = 1
    """S/MIME messages only."""
    ALWAYS = 2


class ViewOptions(Struct, frozen=True):
    """How items are shown to one client in one collection.

    Attributes:
        version: spoken.
        bodies: in the order of the client's preference; none: no body at all is wanted.
        mime_support: see there.
        body_part: wanted as BodyPart (the part of a conversation that is new); None: not.
    """

    version: Version = Version.V16_1
    bodies: tuple[BodyPreference, ...] = ()
    mime_support: MimeSupport = MimeSupport.NEVER
    body_part: BodyPreference | None = None
