"""House rules that no linter knows: size of modules and functions, file headers, tables that must be whole.

Exit status 1 and one line per finding.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "posthouse"
LINES_MAX = 400
FUNCTION_LINES_MAX = 50


def findings() -> list[str]:
    """Everything that breaks a rule, one sentence each."""
    out: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        name = path.relative_to(ROOT)
        lines = text.count("\n")
        if lines > LINES_MAX and not path.name.endswith("_table.py"):
            out.append(f"{name}: {lines} lines; at most {LINES_MAX}")
        tree = ast.parse(text)
        if not ast.get_docstring(tree):
            out.append(f"{name}: the first line does not say what the file is")
        out += [f"{name}:{f}" for f in _long_functions(tree)]
    out += _rooms()
    return out


def _long_functions(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            first = body[1] if len(body) > 1 and ast.get_docstring(node) else body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            if length > FUNCTION_LINES_MAX:
                found.append(
                    f"{node.lineno}: {node.name} has {length} lines; at most {FUNCTION_LINES_MAX}"
                )
    return found


def _rooms() -> list[str]:
    """Every door has the same rooms, and a transcript for every command file."""
    out = []
    transcripts = ROOT / "tests" / "transcripts"
    for door in sorted((SOURCE / "protocols").iterdir()):
        if not door.is_dir() or door.name.startswith("__"):
            continue
        out += [
            f"{door.relative_to(ROOT)}: {room} is missing"
            for room in ("server.py", "session.py", "errors.py", "wire", "commands")
            if not (door / room).exists()
        ]
        told = "".join(p.read_text("utf-8") for p in (transcripts / door.name).glob("*.txt"))
        for command in sorted((door / "commands").glob("*.py")):
            verb = command.stem.removesuffix("_").upper()
            if verb != "__INIT__" and verb not in told.upper():
                out.append(f"{command.relative_to(ROOT)}: no transcript says {verb}")
    return out


if __name__ == "__main__":
    found = findings()
    print("\n".join(found) or "the house stands")
    sys.exit(1 if found else 0)
