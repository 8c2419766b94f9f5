r"""Login names: which address somebody means who writes ``alice`` or ``EXAMPLE\alice``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.address import Address

if TYPE_CHECKING:
    from posthouse.ports.directory import DirectoryRecords

LOGIN_OCTETS_MAX = 320


class LoginNames:
    """Reads login names. Domains are cached by the directory's version."""

    def __init__(self, directory: DirectoryRecords) -> None:
        self._directory = directory
        self._version = -1
        self._domains: dict[str, str] = {}
        self._default = ""

    def address(self, login: str) -> str:
        r"""The address in key form that a login name means; "" when it can mean none.

        ``alice@example.org``, ``alice`` (default domain), ``example.org\alice`` or
        ``EXAMPLE\alice`` (a domain of ours by its whole name or first label), and
        ``ANYTHING\alice`` (a workgroup or machine: default domain). Letter case does not matter.
        """
        if not 0 < len(login) <= LOGIN_OCTETS_MAX:
            return ""
        before, backslash, name = login.rpartition("\\")
        if "@" not in name:
            self._refresh()
            domain = self._domains.get(before.casefold(), self._default) if backslash else ""
            name = f"{name}@{domain or self._default}"
        try:
            key = Address.parse(name).key
        except ValueError:
            return ""
        return key if len(key.encode()) <= LOGIN_OCTETS_MAX else ""

    def _refresh(self) -> None:
        version = self._directory.version()
        if version == self._version:
            return
        domains = self._directory.domains()
        self._domains = {}
        for domain in domains:
            self._domains.setdefault(domain.partition(".")[0], domain)
        # Whole names win over first labels: "example" may itself be a domain.
        self._domains.update((domain, domain) for domain in domains)
        self._default = domains[0] if domains else ""
        self._version = version
