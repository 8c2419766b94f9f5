"""The house rules notice what they are there for."""

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parent.parent / "tools" / "house.py"


@pytest.fixture
def rules(tmp_path, monkeypatch):
    """The rules, on a house of one module and its index of specs."""
    spec = importlib.util.spec_from_file_location("house_rules", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "SOURCE", tmp_path / "src")
    monkeypatch.setattr(module, "INDEX", tmp_path / "index.tsv")
    (tmp_path / "src" / "door").mkdir(parents=True)
    return module


HEAD = "spec\tversion\ttitle\tsupport\tpackage\n"
CODE = '''"""A door.

Spec: RFC 1 §2 (what), RFC 2
    §3; [MS-OXCX] v7 §1.

Notes:
    RFC 99 is not what we go by.
"""


def quit():
    """Ends.

    Departs: RFC 3 §1, because nobody does.
    """
'''
ROWS = (
    "RFC 1\t1969\tHost software\tfull\tdoor\n"
    "RFC 2\t1969\tMore\tfull\tdoor\n"
    "RFC 3\t1969\tConventions\tpart\tdoor\n"
    "[MS-OXCX]\tv7\tOther\tpart\tdoor\n"
)


def found(rules, tmp_path, rows=ROWS, code=CODE):
    (tmp_path / "src" / "door" / "quit.py").write_text(code)
    (tmp_path / "index.tsv").write_text(HEAD + rows)
    return rules._specs()


def test_an_index_that_is_whole(rules, tmp_path):
    assert found(rules, tmp_path) == []


@pytest.mark.parametrize("spec", ["RFC 1", "RFC 2", "RFC 3", "[MS-OXCX] v7"])
def test_a_spec_without_a_row(rules, tmp_path, spec):
    rows = "".join(
        line for line in ROWS.splitlines(keepends=True) if not line.startswith(spec.split(" v")[0])
    )
    assert found(rules, tmp_path, rows) == [f"index.tsv: {spec} has no row; door/ goes by it"]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("RFC 99\t1969\tx\tfull\tdoor\n", "index.tsv:6: no Spec: line names RFC 99"),
        ("RFC 1\t1969\tx\tfull\tdoor\n", "index.tsv:6: RFC 1 has a row already"),
        ("RFC 4\t1969\tx\tfull\n", "index.tsv:6: a row has spec, version, title, support, package"),
    ],
)
def test_a_row_too_much_or_too_short(rules, tmp_path, row, complaint):
    (said,) = found(rules, tmp_path, ROWS + row)
    assert said.startswith(complaint)


def test_a_row_of_another_package_or_version(rules, tmp_path):
    (said,) = found(rules, tmp_path, ROWS.replace("software\tfull\tdoor", "software\tfull\tcellar"))
    assert said == "index.tsv:2: no Spec: line in cellar names RFC 1"
    assert len(found(rules, tmp_path, ROWS.replace("v7", "v8"))) == 2


def test_long_functions_and_the_commands_of_a_file(rules, tmp_path):
    import ast

    tree = ast.parse("def long():\n" + "    x = 1\n" * 51)
    assert list(rules._long_functions(tree)) == ["1: long has 51 lines; at most 50"]
    command = tmp_path / "simple.py"
    command.write_text('"""The easy ones: RSET, NOOP, QUIT."""\n')
    assert rules._verbs(command) == ["RSET", "NOOP", "QUIT"]
    command.write_text('"""AUTH: SASL PLAIN."""\n')
    assert rules._verbs(command) == ["SIMPLE"]
