"""Version 2: one URL for one protocol, in JSON, without a login.

Spec: [MS-OXDISCO] §3.1 names it; the form is what Exchange Online answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

import msgspec

if TYPE_CHECKING:
    from posthouse.protocols.autodiscover.answers import Announced

PATH = "/autodiscover/autodiscover.json"
_FIELDS_MAX = 20


class Question(msgspec.Struct, frozen=True):
    """What is asked.

    Attributes:
        address: whose; "" not said.
        protocol: as written.
    """

    address: str
    protocol: str


def question_from_target(path: str, query: str) -> Question:
    """Read path and query; names in any letter case.

    Raises:
        ValueError: too many fields.
    """
    fields = parse_qs(query, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    known = {name.lower(): values[0] for name, values in fields.items()}
    address = known.get("email", "")
    if not address and len(path) > len(PATH):
        address = unquote(path.rsplit("/", 1)[-1])
    return Question(address if "@" in address else "", known.get("protocol", ""))


def answer(question: Question, announced: Announced) -> bytes:
    """Where the protocol answers, or that it does not."""
    urls = {
        "activesync": ("ActiveSync", announced.activesync_url),
        "ews": ("Ews", announced.ews_url),
        "autodiscoverv1": ("AutodiscoverV1", f"{announced.site}/autodiscover/autodiscover.xml"),
    }
    name, url = urls.get(question.protocol.lower(), (question.protocol, ""))
    if url:
        return msgspec.json.encode({"Protocol": name, "Url": url})
    text = f"The given protocol value '{name[:64]}' is invalid or is not answered here."
    known = ",".join(name for name, url in urls.values() if url)
    return msgspec.json.encode(
        {
            "ErrorCode": "MandatoryParameterMissing" if not name else "ProtocolNotSupported",
            "ErrorMessage": f"{text} Supported values are '{known}'.",
        }
    )
