"""Write the inventories of other projects that the site links to.

    python docs/inventories.py

The site is built offline, so what Sphinx would fetch is kept in docs/inventories, in
the plain text of Sphinx's first format: a name, its role and its page on each line. It
lists the names in the pages, docstrings and examples that the installed packages have.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "inventories"
#: The address of each project's documentation, and its pages: the first one whose
#: beginning a name has. ``$`` is the name.
PROJECTS = {
    "sklearn": (
        "https://scikit-learn.org/stable/",
        {"": "modules/generated/$.html"},
    ),
    "numpy": (
        "https://numpy.org/doc/stable/",
        {
            "numpy.random.RandomState": "reference/random/legacy.html",
            "numpy.random.": "reference/random/generator.html",
            "numpy.float": "reference/arrays.scalars.html",
            "": "reference/generated/$.html",
        },
    ),
    "scipy": (
        "https://docs.scipy.org/doc/scipy/",
        {"": "reference/generated/$.html"},
    ),
    "pandas": (
        "https://pandas.pydata.org/docs/",
        {"": "reference/api/$.html"},
    ),
    "joblib": (
        "https://joblib.readthedocs.io/en/stable/",
        {"": "generated/$.html"},
    ),
}
SHORT = {"np": "numpy", "pd": "pandas"}
IMPORT = re.compile(r"from ([\w.]+) import (\([^)]*\)|[^\n]*)")
DOTTED = re.compile(r"\b[a-z]\w*(?:\.[A-Za-z]\w*)+")
# Types that the docstrings give without their package.
ALWAYS = {
    *("numpy.ndarray", "numpy.random.RandomState", "numpy.random.Generator"),
    *("pandas.DataFrame", "pandas.Series"),
}


def mentioned() -> set[str]:
    """Return the dotted names in the sources of the site."""
    names = set(ALWAYS)
    pages = [
        *(ROOT / "examples").glob("*.py"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "docs").glob("_templates/**/*.rst"),
    ]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    for file in (ROOT / "sklearn_refine").rglob("*.py"):
        texts += docstrings(file)
    for text in texts:
        for module, imported in IMPORT.findall(text.replace(">>> ", "")):
            for name in re.findall(r"\w+", imported.replace("...", "")):
                names.add(f"{module}.{name}")
        for name in DOTTED.findall(text):
            first, _, rest = name.partition(".")
            names.add(f"{SHORT.get(first, first)}.{rest}")
    return {name for name in names if name.split(".")[0] in PROJECTS}


def docstrings(file: Path) -> list[str]:
    """Return the docstrings of a module, its classes and its functions."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    things = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return [text for node in things if (text := ast.get_docstring(node))]


def role(name: str) -> str | None:
    """Return what a public name of an installed package is; None if nothing."""
    parts = name.split(".")
    if any(part.startswith("_") for part in parts):
        return None
    thing, parent = importlib.import_module(parts[0]), None
    for number, part in enumerate(parts[1:], start=2):
        parent = thing
        try:
            thing = getattr(thing, part)
        except AttributeError:
            try:
                thing = importlib.import_module(".".join(parts[:number]))
            except ImportError:
                return None
    if inspect.ismodule(thing):
        return None
    if not inspect.ismodule(parent) and not inspect.isclass(parent):
        return None
    if getattr(thing, "__name__", parts[-1]) != parts[-1]:
        return None  # numpy.abs has the page of numpy.absolute
    if inspect.isclass(parent):
        return "method" if callable(thing) else "attribute"
    if inspect.isclass(thing):
        return "class"
    return "function" if callable(thing) else None


def inventory(project: str, names: set[str]) -> str:
    """Return the text of a project's inventory."""
    module = importlib.import_module(project)
    lines = [
        "# Sphinx inventory version 1",
        f"# Project: {project}",
        f"# Version: {module.__version__}",
    ]
    for name in sorted(names):
        kind = role(name)
        if kind is None:
            continue
        # Members are described on the page of their class.
        owner = name.rpartition(".")[0] if kind in ("method", "attribute") else name
        pages = PROJECTS[project][1]
        page = next(pages[start] for start in pages if owner.startswith(start))
        lines.append(f"{name} {kind} {page.replace('$', owner)}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all inventories."""
    FOLDER.mkdir(exist_ok=True)
    names = mentioned()
    for project in PROJECTS:
        own = {name for name in names if name.startswith(f"{project}.")}
        text = inventory(project, own)
        (FOLDER / f"{project}.txt").write_text(text, encoding="utf-8")
        print(f"{project}: {text.count(chr(10)) - 3} names")


if __name__ == "__main__":
    main()
