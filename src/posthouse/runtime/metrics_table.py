"""The table of all figures that Posthouse counts; each row owns its slots in the shared memory.

Notes:
    A plain figure is a ``Slot``, passed to ``Metrics.inc`` as it is. A figure with labels is a ``Family``: ask it once for
    the slot of a label combination (``LOGINS.slot("pop3", "ok")``) and keep the answer where it is used often. All label values
    are listed here, since memory is laid out before the processes fork; an unknown value counts as "other".
    Add rows at the end of their group; the order has no meaning outside one run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import NewType

Slot = NewType("Slot", int)
"""Index of one 8-byte figure."""


class Kind(Enum):
    """How a figure behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    MICROSECONDS = "microseconds"
    """A counter kept in microseconds and shown in seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure by name.

    Attributes:
        name: as Prometheus shows it, without the suffix ``_total``.
        kind: how it behaves.
        help: one sentence for the operator.
        label_names: names of its labels.
        samples: slot and label values of each combination.
    """

    name: str
    kind: Kind
    help: str
    label_names: tuple[str, ...]
    samples: tuple[tuple[Slot, tuple[str, ...]], ...]


class Family:
    """The slots of one figure with labels."""

    __slots__ = ("_slots", "_values")

    def __init__(self, row: Row, values: tuple[tuple[str, ...], ...]) -> None:
        self._slots = {labels: slot for slot, labels in row.samples}
        self._values = values

    def slot(self, *labels: str) -> Slot:
        """The slot of these label values, in the order of the row; unknown values become "other"."""
        found = self._slots.get(labels)
        if found is not None:
            return found
        known = zip(labels, self._values, strict=True)
        return self._slots[tuple(label if label in values else "other" for label, values in known)]


TABLE: list[Row] = []
_next_slot = 0


def _add(kind: Kind, name: str, text: str, labels: dict[str, tuple[str, ...]]) -> Row:
    global _next_slot
    samples = []
    for values in product(*labels.values()):
        samples.append((Slot(_next_slot), values))
        _next_slot += 1
    row = Row(f"posthouse_{name}", kind, text, tuple(labels), tuple(samples))
    TABLE.append(row)
    return row


def _one(kind: Kind, name: str, text: str) -> Slot:
    return _add(kind, name, text, {}).samples[0][0]


def _family(kind: Kind, name: str, text: str, **labels: tuple[str, ...]) -> Family:
    closed = {
        label: values if "other" in values else (*values, "other")
        for label, values in labels.items()
    }
    return Family(_add(kind, name, text, closed), tuple(closed.values()))


DOORS = (
    "pop3",
    "pop3s",
    "smtp",
    "submission",
    "submissions",
    "lmtp",
    "imap",
    "imaps",
    "http",
    "https",
    "other",
)

# --- processes
WORKER_STARTS = _one(
    Kind.COUNTER, "worker_starts", "Workers and jobs processes started, restarts included."
)
WORKER_DEATHS = _one(
    Kind.COUNTER, "worker_deaths", "Workers and jobs processes that ended without being asked."
)
LOG_LINES_DROPPED = _one(
    Kind.COUNTER, "log_lines_dropped", "Log lines lost because nobody read the log."
)

# --- connections
CONNECTIONS_OPENED = _family(
    Kind.COUNTER, "connections_opened", "Connections accepted.", listener=DOORS
)
CONNECTIONS_OPEN = _family(Kind.GAUGE, "connections_open", "Connections open now.", listener=DOORS)
CONNECTIONS_REFUSED = _family(
    Kind.COUNTER, "connections_refused", "Connections closed at once: over budget.", listener=DOORS
)
CONNECTIONS_RESET = _family(
    Kind.COUNTER,
    "connections_reset",
    "Connections that ended without a clean goodbye.",
    listener=DOORS,
)
SESSIONS_FAILED = _family(
    Kind.COUNTER, "sessions_failed", "Sessions ended by an error of our own.", listener=DOORS
)
ACCEPT_FAILURES = _one(
    Kind.COUNTER,
    "accept_failures",
    "Times that accepting met a full descriptor table or no memory.",
)
TLS_HANDSHAKES = _family(Kind.COUNTER, "tls_handshakes", "TLS handshakes finished.", listener=DOORS)
TLS_RESUMPTIONS = _family(
    Kind.COUNTER,
    "tls_resumptions",
    "TLS handshakes that resumed a session by ticket.",
    listener=DOORS,
)
TLS_FAILURES = _family(Kind.COUNTER, "tls_failures", "TLS handshakes that failed.", listener=DOORS)

# --- logins
LOGINS = _family(
    Kind.COUNTER,
    "logins",
    "Login attempts by outcome.",
    door=DOORS,
    outcome=("ok", "refused", "delayed", "unavailable"),
)

# --- POP3
POP3_COMMANDS = _one(Kind.COUNTER, "pop3_commands", "POP3 commands answered.")
POP3_SESSIONS = _one(Kind.COUNTER, "pop3_sessions", "POP3 sessions that reached a mailbox.")
POP3_MESSAGES_SENT = _one(Kind.COUNTER, "pop3_messages_sent", "Messages sent by RETR.")
POP3_BYTES_SENT = _one(Kind.COUNTER, "pop3_bytes_sent", "Bytes of messages sent by RETR and TOP.")
POP3_MESSAGES_DELETED = _one(
    Kind.COUNTER, "pop3_messages_deleted", "Messages put away by DELE and QUIT."
)
POP3_ERRORS = _one(Kind.COUNTER, "pop3_errors", "Commands answered with -ERR.")

# --- SMTP and LMTP in
SMTP_COMMANDS = _one(Kind.COUNTER, "smtp_commands", "SMTP and LMTP commands answered.")
SMTP_MESSAGES_ACCEPTED = _family(
    Kind.COUNTER, "smtp_messages_accepted", "Messages acknowledged.", listener=DOORS
)
SMTP_MESSAGES_REJECTED = _family(
    Kind.COUNTER, "smtp_messages_rejected", "Messages refused after DATA or BDAT.", listener=DOORS
)
SMTP_RECIPIENTS_REJECTED = _family(
    Kind.COUNTER, "smtp_recipients_rejected", "Recipients refused.", listener=DOORS
)
SMTP_BYTES_RECEIVED = _one(
    Kind.COUNTER, "smtp_bytes_received", "Bytes of message content taken in."
)
SMTP_REPEATS = _one(
    Kind.COUNTER, "smtp_repeats", "Repeated messages acknowledged without a second copy."
)

# --- queue, outbound
QUEUE_ADDED = _one(Kind.COUNTER, "queue_added", "Messages put into the outbound queue.")
QUEUE_MESSAGES = _one(
    Kind.GAUGE, "queue_messages", "Messages in the outbound queue, as last counted."
)
QUEUE_OLDEST = _one(
    Kind.GAUGE, "queue_oldest_age_seconds", "Age of the oldest queued message, as last counted."
)
QUEUE_ATTEMPTS = _family(
    Kind.COUNTER,
    "queue_attempts",
    "Delivery attempts by outcome, per recipient.",
    outcome=("delivered", "deferred", "failed"),
)
QUEUE_REPORTS = _family(
    Kind.COUNTER, "queue_reports", "Delivery reports made.", report=("delay", "failure", "success")
)

# --- store
STORE_COMMITS = _one(Kind.COUNTER, "store_commits", "Commits applied.")
STORE_CONFLICTS = _one(Kind.COUNTER, "store_conflicts", "Commits whose precondition did not hold.")
STORE_FAILURES = _one(Kind.COUNTER, "store_failures", "Commits refused by the disk.")
STORE_COMMIT_TIME = _one(
    Kind.MICROSECONDS, "store_commit_seconds", "Time from asking for a commit to its being durable."
)
STORE_FREE_BYTES = _one(
    Kind.GAUGE, "store_free_bytes", "Free space where blobs are written, as last asked."
)

# --- parse pool
PARSE_CALLS = _one(Kind.COUNTER, "parse_calls", "Calls handed to the parse pool.")
PARSE_DEATHS = _one(Kind.COUNTER, "parse_deaths", "Parsers that died or were ended over a call.")

SLOT_COUNT = _next_slot
