"""House rules that no linter knows: sizes, file headers, tables that must be whole.

Exit status 1 and one line per finding.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "posthouse"
LINES_MAX = 400
FUNCTION_LINES_MAX = 50
INDEX = ROOT / "docs" / "specs" / "index.tsv"
VERBS = re.compile(r"\b[A-Z]{4}(?:, [A-Z]{4})+\b")
ROOMS = ("server.py", "session.py", "errors.py", "wire", "commands")
QUESTION_ROOMS = ("server.py", "answers.py", "errors.py", "wire")
"""Of a door that answers questions one by one: it has no sessions and no commands."""
BEING_BUILT: frozenset[str] = frozenset()
"""Doors of which only the wire is there."""
SPEC_COLUMNS = ("spec", "version", "title", "support", "package")
SPEC_NAME = re.compile(r"RFC \d+|\[MS-[A-Z0-9]+\](?: v\d+)?")
SPEC_BLOCK = re.compile(
    r"""^[ ]*(?:-[ ])?(?:Spec|Departs):      # begins a line of a docstring
        (.*?)                               # goes on over lines
        (?=\n[ ]*\n|\"{3}|\n[ ]*(?:-[ ])?(?:Spec|Departs|Open|Notes):)""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


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
    out += _specs()
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
        if not door.is_dir() or door.name.startswith("__") or door.name in BEING_BUILT:
            continue
        out += [
            f"{door.relative_to(ROOT)}: {room} is missing"
            for room in (QUESTION_ROOMS if (door / "answers.py").exists() else ROOMS)
            if not (door / room).exists()
        ]
        told = "".join(p.read_text("utf-8") for p in (transcripts / door.name).glob("*.txt"))
        for command in sorted((door / "commands").glob("*.py")):
            for verb in _verbs(command):
                if verb not in told.upper():
                    out.append(f"{command.relative_to(ROOT)}: no transcript says {verb}")
    return out


def _verbs(command: Path) -> list[str]:
    """The commands of a file: its name; those its first line names where one file has several."""
    if command.stem == "__init__":
        return []
    first_line = (ast.get_docstring(ast.parse(command.read_text("utf-8"))) or "").split("\n")[0]
    several = VERBS.search(first_line)
    return several[0].split(", ") if several else [command.stem.replace("_", "").upper()]


def _specs() -> list[str]:
    """Every RFC and Microsoft document that the code names has a row in the index, and is used."""
    columns, *lines = INDEX.read_text("utf-8").splitlines()
    rows = [dict(zip(columns.split("\t"), line.split("\t"), strict=False)) for line in lines]
    named: dict[str, set[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for block in SPEC_BLOCK.findall(path.read_text("utf-8")):
            for name in SPEC_NAME.findall(block):
                named.setdefault(name, set()).add(f"{path.parent.relative_to(SOURCE)}/")
    index = INDEX.relative_to(ROOT)
    out = [
        f"{index}: {spec} has no row; {', '.join(sorted(named[spec]))} goes by it"
        for spec in sorted(named.keys() - {_spec_of(row) for row in rows})
    ]
    seen: set[str] = set()
    for number, row in enumerate(rows, 2):
        spec = _spec_of(row)
        if len(row) != len(SPEC_COLUMNS) or tuple(row) != SPEC_COLUMNS or not all(row.values()):
            out.append(f"{index}:{number}: a row has {', '.join(SPEC_COLUMNS)}, none of them empty")
        elif spec in seen:
            out.append(f"{index}:{number}: {spec} has a row already")
        elif spec not in named:
            out.append(f"{index}:{number}: no Spec: line names {spec}")
        elif not any(place.startswith(f"{row['package']}/") for place in named[spec]):
            out.append(f"{index}:{number}: no Spec: line in {row['package']} names {spec}")
        seen.add(spec)
    return out


def _spec_of(row: dict[str, str]) -> str:
    """As the code names it: a Microsoft document is another one in each version.

    ``newest``: what we go by is the same in all of them, and the code names none.
    """
    spec, version = row.get("spec", ""), row.get("version", "")
    is_pinned = spec.startswith("[") and version != "newest"
    return f"{spec} {version}" if is_pinned else spec


if __name__ == "__main__":
    found = findings()
    print("\n".join(found) or "the house stands")
    sys.exit(1 if found else 0)
