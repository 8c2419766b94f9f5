"""The text of a new configuration file: every key there is, documented, with its default."""

from __future__ import annotations

from dataclasses import fields

from posthouse.app.config import SECTIONS, Config


def document(profile: str, hostname: str) -> str:
    """The text of a new configuration file: what was chosen, every other key as a comment."""
    lines = [
        "# Posthouse. Every key there is, with its default; take away the # to change one.",
        "# After a change: posthouse doctor, then restart.",
        "",
        f'profile = "{profile}"',
        f'hostname = "{hostname}"',
        "",
    ]
    chosen = {"data", "profile", "hostname"}
    top = [f for f in fields(Config) if f.name not in chosen]
    for f in top:
        if f.metadata:
            lines += [f"# {f.metadata['doc']}", f"#{f.name} = {_toml(f.default)}", ""]
    for f in top:
        if not f.metadata:
            lines += _section(f.name)
    return "\n".join(lines)


def _section(name: str) -> list[str]:
    """A table with its keys, and those below it."""
    section = SECTIONS[name]
    lines = [f"# --- {section.__doc__}", f"#[{name}]"]
    below: list[str] = []
    for key in fields(section):
        if key.metadata:
            default = key.default_factory() if callable(key.default_factory) else key.default
            lines += [f"# {key.metadata['doc']}", f"#{key.name} = {_toml(default)}"]
        else:
            below += _section(f"{name}.{key.name}")
    return [*lines, "", *below]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{v}"' for v in value) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
