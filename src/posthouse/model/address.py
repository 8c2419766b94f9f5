"""Mail addresses as values.

Spec: RFC 5321 §4.1.2 (Mailbox), RFC 6531 §3.3 (UTF-8 local parts), RFC 5890 (A-labels).

Notes:
    The directory compares local parts without regard to case (as every organisation expects) but
    keeps what was written. Domains are compared as lower-case A-labels.
"""

from __future__ import annotations

from typing import Self

from msgspec import Struct

LOCAL_OCTETS_MAX = 64
DOMAIN_OCTETS_MAX = 255
_ATEXT = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~."
)
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


class Address(Struct, frozen=True):
    """One mailbox address.

    Attributes:
        local: the local part without quotes, as written.
        domain: lower-case A-label form, or an address literal in brackets.
    """

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``local@domain`` (the local part may be a quoted string).

        Raises:
            ValueError: not an address by RFC 5321 §4.1.2.
        """
        local, at, domain = text.rpartition("@")
        if not at:
            raise ValueError(f"no @ in {text!r}")
        return cls(_local_from_text(local), domain_from_text(domain))

    @property
    def key(self) -> str:
        """What two addresses of the same person have in common: lower-case ``local@domain``."""
        return f"{self.local.casefold()}@{self.domain}"

    @property
    def is_ascii(self) -> bool:
        """Whether the address may be said without SMTPUTF8."""
        return self.local.isascii()

    def without_detail(self, separator: str = "+") -> tuple[Address, str]:
        """Split ``alice+Projects`` into Alice's address and ``Projects`` ("" where none)."""
        base, _, detail = self.local.partition(separator)
        if not base:
            return self, ""
        return Address(base, self.domain), detail

    def __str__(self) -> str:
        """The form for the wire; the local part is quoted where the grammar asks for it."""
        local = self.local
        plain = _ATEXT.issuperset(local) or all(c in _ATEXT or c > "\x7f" for c in local)
        if not plain or not local or local[0] == "." or local[-1] == "." or ".." in local:
            escaped = local.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"@{self.domain}'
        return f"{local}@{self.domain}"


def _local_from_text(local: str) -> str:
    if len(local.encode()) > LOCAL_OCTETS_MAX or not local:
        raise ValueError("local part is empty or longer than 64 octets")
    if any(c < " " or c == "\x7f" for c in local):
        raise ValueError("control character in local part")
    if local[0] != '"':
        if not all(c in _ATEXT or c > "\x7f" for c in local):
            raise ValueError("local part needs quotes")
        if local[0] == "." or local[-1] == "." or ".." in local:
            raise ValueError("misplaced dot in local part")
        return local
    return _unquoted(local)


def _unquoted(local: str) -> str:
    if len(local) < 3 or local[-1] != '"':
        raise ValueError("unbalanced quotes in local part")
    out: list[str] = []
    rest = iter(local[1:-1])
    for c in rest:
        if c == '"':
            raise ValueError("quote inside quoted local part")
        out.append(next(rest, "") or _fail() if c == "\\" else c)
    return "".join(out)


def _fail() -> str:
    raise ValueError("backslash at the end of local part")


def domain_from_text(text: str) -> str:
    """Normalise a domain name or address literal: lower case, A-labels, no final dot.

    Raises:
        ValueError: not a domain by RFC 5321 §4.1.2 or longer than 255 octets.
    """
    if text.startswith("[") and text.endswith("]"):
        return _literal_from_text(text)
    name = text.removesuffix(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii").lower()
        except UnicodeError as e:
            raise ValueError(f"not a domain: {text!r}") from e
    if not name or len(name) > DOMAIN_OCTETS_MAX:
        raise ValueError("domain is empty or too long")
    for label in name.split("."):
        if not 0 < len(label) <= 63 or not _LABEL.issuperset(label) or "-" in (label[0], label[-1]):
            raise ValueError(f"not a domain: {text!r}")
    return name


def _literal_from_text(text: str) -> str:
    inner = text[1:-1].lower()
    if not inner or len(inner) > 64 or not set(inner) <= set("0123456789abcdefipv.:"):
        raise ValueError("not an address literal")
    return f"[{inner}]"
