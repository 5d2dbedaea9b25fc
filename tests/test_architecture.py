"""A room imports only from the rooms below it, and one file touches privates."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_refine

ROOT = Path(sklearn_refine.__file__).parent
#: Each room with those it may import from.
BELOW = {
    "space": {"space", "_sklearn_compat"},
    "_history": {"space"},
    "proposal": {"proposal", "_history", "space"},
    "evaluation": {"evaluation", "_history", "space", "_sklearn_compat"},
    "_fingerprint": {"_sklearn_compat"},
    "_journal_file": {"_history"},
    "_journal": {"_journal_file", "_history"},
    "_journal_table": {"_journal_file", "_history"},
    "_ledger": {"_journal", "_fingerprint", "_history"},
    "_reporting": {"evaluation", "_history", "_sklearn_compat"},
    "_base": {
        "_reporting",
        "proposal",
        "_ledger",
        "evaluation",
        "_history",
        "space",
        "_sklearn_compat",
    },
    "_search": {"_base", "proposal", "space", "_sklearn_compat"},
    "_sklearn_compat": set(),
    "_parameters": {"space"},
    "_results": {"_parameters"},
    "_smoothing": {"_results", "proposal"},
    "_refit": {"_results", "_smoothing"},
    "plotting": {"plotting", "_parameters", "_results", "_smoothing", "space"},
    "__init__": {"_search", "_refit", "_journal_table", "plotting", "space"},
}
FILES = sorted(ROOT.rglob("*.py"))


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)


def room(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_come_from_below(path):
    for module, _ in imports(path):
        if module.startswith("sklearn_refine."):
            assert module.split(".")[1] in BELOW[room(path)], module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_of_scikit_learn_have_one_door(path):
    if path.name == "_sklearn_compat.py":
        return
    for module, names in imports(path):
        if module.split(".")[0] == "sklearn":
            assert not any(part.startswith("_") for part in module.split(".")), module
            assert not any(name.startswith("_") for name in names), names


@pytest.mark.parametrize("folder", ["space", "proposal"])
def test_the_pure_rooms_read_no_clock_and_fit_nothing(folder):
    for path in (ROOT / folder).rglob("*.py"):
        modules = {module.split(".")[0] for module, _ in imports(path)}
        assert not modules & {"time", "datetime", "joblib", "os", "random"}
        if path.name != "_surrogate.py":  # it fits a model of the scores, no candidate
            assert ".fit(" not in path.read_text()


def test_import_is_light():
    code = (
        "import sys, sklearn_refine;"
        "print([m for m in ('matplotlib', 'pandas.plotting._matplotlib') "
        "if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"
