"""A room imports only from the rooms below it, and one file touches privates."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_refine

ROOT = Path(sklearn_refine.__file__).parent
#: Each package or module, with the ones it may import from.
BELOW = {
    "_sklearn_compat": set(),
    "_interrupts": set(),
    "space": {"_sklearn_compat"},
    "_history": {"space"},
    "proposal": {"_history", "space", "_interrupts"},
    "mlp": {"_sklearn_compat"},
    "sharing": {"mlp", "space", "_sklearn_compat"},
    "evaluation": {
        *("sharing", "mlp", "_history", "space", "_interrupts", "_sklearn_compat")
    },
    "journal": {"_history", "_interrupts", "_sklearn_compat"},
    "results": {
        *("journal", "proposal"),
        *("_history", "space", "_interrupts", "_sklearn_compat"),
    },
    "plotting": {"results", "space"},
    "_base": {
        *("results", "journal", "evaluation"),
        *("_history", "_interrupts", "_sklearn_compat"),
    },
    "_grid_search": {"_base", "proposal", "sharing", "space", "_sklearn_compat"},
    "_random_search": {"_base", "proposal", "space", "_sklearn_compat"},
    "_progress": {"_sklearn_compat"},
    "__init__": {
        *("_progress", "_grid_search", "_random_search"),
        *("plotting", "results", "journal", "space"),
    },
    "__main__": {"__init__", "plotting", "results", "journal"},
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


def test_no_package_is_above_and_below_another():
    order = list(BELOW)
    assert {room(path) for path in FILES} == set(order)
    for name, below in BELOW.items():
        assert all(order.index(other) < order.index(name) for other in below), name


def test_the_design_page_tells_the_packages():
    """The table of docs/design.md: names, imports, and lines to about a fifth."""
    page = (Path(__file__).parents[1] / "docs" / "design.md").read_text()
    told = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[2].isdigit():
            name = cells[0].strip("`/").removesuffix(".py")
            told[name] = int(cells[2]), set(re.findall(r"`(\w+)`", cells[3]))
    assert {name: below for name, (_, below) in told.items()} == {
        name: below for name, below in BELOW.items() if not name.startswith("__")
    }
    for name, (lines, _) in told.items():
        files = [path for path in FILES if room(path) == name]
        real = sum(len(path.read_text().splitlines()) for path in files)
        assert 0.8 * real <= lines <= 1.2 * real, (name, real)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_come_from_below(path):
    for module, _ in imports(path):
        if module.startswith("sklearn_refine."):
            package = module.split(".")[1]
            assert package in {room(path), *BELOW[room(path)]}, module


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
        "heavy = 'matplotlib', 'pandas.plotting._matplotlib', 'optuna', 'plotly';"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"
