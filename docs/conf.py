"""Settings of the documentation; everything is built from the sources, offline."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

import sklearn_refine

project = "sklearn_refine"
author = "The sklearn_refine developers"
copyright = f"2026, {author}"
version = release = sklearn_refine.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
]
exclude_patterns = ["_build"]

# Examples are run when the site is built. Those that need a file which is not part of
# the repository are run if it is in the folder SKLEARN_REFINE_DATA, or else in
# examples/data, where git ignores it; without it they are shown, with no figures.
# SKLEARN_REFINE_EXAMPLES="" shows all and runs none, for a quick build.
examples_data = os.path.abspath(
    os.environ.get("SKLEARN_REFINE_DATA")
    or Path(__file__).parents[1] / "examples" / "data"
)
os.environ["SKLEARN_REFINE_DATA"] = examples_data  # they run in another directory
needed_files = {
    "fetal_health_mlp": ["fetal_health.csv"],
    "tox21_mlp": ["tox21_ecfp1024.npz", "tox21.csv.gz"],
}
run_examples = ["band_gap", "loss_surface", "digits", "text", "nested", "resume"]
run_examples += [
    example
    for example, files in needed_files.items()
    if any((Path(examples_data) / name).exists() for name in files)
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": os.environ.get(
        "SKLEARN_REFINE_EXAMPLES",
        rf"({'|'.join(run_examples)})\w*\.py$",
    )
    or "(?!)",
    "within_subsection_order": "ExampleTitleSortKey",
    "download_all_examples": False,
    "plot_gallery": True,
    "abort_on_example_error": True,
    "show_memory": False,
}
# The pictures of the user guide (user_guide/pictures.py).
plot_formats = [("png", 120)]
plot_html_show_formats = False
plot_html_show_source_link = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
templates_path = ["_templates"]
default_role = "code"

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_refine"
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"install": [], "changelog": [], "design": []}
html_theme_options = {"navigation_with_keys": False}

# Types stand in the docstrings, in words.
autodoc_typehints = "none"
# The class template lists the members itself.
numpydoc_show_class_members = False


def own_methods(cls: type) -> list[str]:
    """Return the public methods that are written in this package, in order.

    The others are scikit-learn's. Their docstrings refer to scikit-learn's own
    pages, which do not exist here, so the template only names them.
    """
    return [name for name in _methods(cls) if _is_own(getattr(cls, name))]


def inherited_methods(cls: type) -> list[str]:
    """Return the names of the public methods that are scikit-learn's."""
    return [name for name in _methods(cls) if not _is_own(getattr(cls, name))]


def _methods(cls: type) -> list[str]:
    members = inspect.getmembers(cls, callable)
    return [name for name, _ in members if not name.startswith("_")]


def _is_own(method: Any) -> bool:
    module = getattr(method, "__module__", None) or ""
    return module.split(".")[0] == sklearn_refine.__name__


_classes = {name: getattr(sklearn_refine, name) for name in sklearn_refine.__all__}
autosummary_context = {
    "own_methods": {name: own_methods(cls) for name, cls in _classes.items()},
    "inherited_methods": {
        name: inherited_methods(cls) for name, cls in _classes.items()
    },
}


def plain_text_as_literals(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Rewrite the two things in docstrings that docutils would take for links.

    One is references to scikit-learn's glossary, which is not part of this site:
    numpydoc describes an attribute that is a property by the property's docstring,
    and scikit-learn's refer to that glossary. The other is an attribute's name in a
    shape, ``(n_features_in_,)``, for its underscore.
    """
    for number, line in enumerate(lines):
        line = re.sub(r":term:`([^`]+)`", r"``\1``", line)
        lines[number] = re.sub(r"\((\w+_),\)", r"(``\1``,)", line)


def setup(app: Any) -> None:
    """Connect after numpydoc, which connects at the default priority of 500."""
    app.connect("autodoc-process-docstring", plain_text_as_literals, priority=600)
