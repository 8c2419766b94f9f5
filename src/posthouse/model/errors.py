"""Everything that can go wrong for a user, one class per kind.

Each door has one table, ``errors.py``, from these classes to its own answers. The message is for
the log; the text for clients is fixed per class by the door.
"""

from __future__ import annotations


class PosthouseError(Exception):
    """Root of all errors that Posthouse itself raises."""


class StoreError(PosthouseError):
    """Root of what the store may answer."""


class NotFound(StoreError):
    """The mailbox, folder, item, blob or person is not there (or must not be seen)."""


class AlreadyExists(StoreError):
    """A name or key that must be new is taken."""


class AccessDenied(StoreError):
    """The principal has no right to do this."""


class QuotaExceeded(StoreError):
    """The mailbox is full.

    Attributes:
        batch_index: which batch of the commit met the limit (0-based).
    """

    def __init__(self, message: str, batch_index: int = 0) -> None:
        super().__init__(message)
        self.batch_index = batch_index


class Conflict(StoreError):
    """A precondition of the batch does not hold; nothing was done."""


class InvalidSyncPoint(StoreError):
    """The token was not made by this store, or was tampered with."""


class SyncPointExpired(StoreError):
    """Tombstones older than the point are gone: the client must start anew."""


class Repeated(StoreError):
    """The commit's receipt stands: the same message was accepted before. Nothing was done now."""


class Unavailable(StoreError):
    """A passing fault (full disk, failed write, overload). Nothing was done; try again.

    Attributes:
        retry_after_s: a hint for the client, in seconds.
    """

    def __init__(self, message: str, retry_after_s: float = 30.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InsufficientSpace(Unavailable):
    """Free disk space is below the floor: nothing new is taken in, reading and deleting go on."""


class TooLarge(PosthouseError):
    """A limit of size or count was passed while reading."""


class LoginError(PosthouseError):
    """Root of what a login may meet."""


class LoginRefused(LoginError):
    """Unknown name, wrong password or disabled: which of them is never told."""


class LoginDelayed(LoginError):
    """Too many guesses; the answer is held back.

    Attributes:
        retry_after_s: when another try is worth it, in seconds.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProtocolError(PosthouseError):
    """Root of grammar errors, raised only in ``wire`` packages."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the grammar or the order of commands.

    Attributes:
        reply_hint: which of the protocol's own errors says it best (the wire package names them).
    """

    def __init__(self, message: str, reply_hint: str = "syntax") -> None:
        super().__init__(message)
        self.reply_hint = reply_hint


class LocalProtocolError(ProtocolError):
    """We tried to send what the state forbids: a bug of ours."""


class MailLoop(PosthouseError):
    """The message has passed through too many hosts, or through this mailbox before."""


class ParserFailed(PosthouseError):
    """A parser could not make sense of what it was given, died over it or took too long."""


class ConfigurationError(PosthouseError):
    """A setting is wrong. The message names file, key and remedy."""
