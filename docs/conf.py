"""Settings of the documentation; everything is built from the sources, offline."""

from __future__ import annotations

import inspect
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import sklearn_refine

docs = Path(__file__).parent
sys.path.insert(0, str(docs))
import inventories  # noqa: E402 - it is in this folder

project = "sklearn_refine"
author = "The sklearn_refine developers"
copyright = f"2026, {author}"
version = release = sklearn_refine.__version__

with open(docs.parent / "pyproject.toml", "rb") as file:
    _project = tomllib.load(file)["project"]
# Where pyproject.toml names the address "Source" of a repository, pages link to their
# sources there. Otherwise the sources are part of the site.
repository = _project["urls"].get("Source", "").rstrip("/")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
    "sphinx.ext.intersphinx",
    "sphinx.ext.linkcode" if repository else "sphinx.ext.viewcode",
]
intersphinx_mapping = {
    name: (address, f"inventories/{name}.txt")
    for name, (address, _) in inventories.PROJECTS.items()
}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

# Examples are run when the site is built. Two need data that are not part of the
# repository; their pages show output that was recorded.
# SKLEARN_REFINE_EXAMPLES="" shows all and runs none, for a quick build.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": os.environ.get(
        "SKLEARN_REFINE_EXAMPLES", r"/(?!fetal_health|tox21)\w+\.py$"
    )
    or "(?!)",
    "remove_config_comments": True,
    "within_subsection_order": "ExampleTitleSortKey",
    "download_all_examples": False,
    "plot_gallery": True,
    "abort_on_example_error": True,
    "show_memory": False,
    "write_computation_times": False,
    # The examples that use a class or function, for the page about it.
    "doc_module": ("sklearn_refine",),
    "backreferences_dir": "generated/examples",
    "default_thumb_file": str(docs / "_static" / "logo.png"),
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
html_baseurl = f"{_project['urls']['Documentation']}/en/stable/"
html_logo = html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_search_scorer = str(docs / "_static" / "search_order.js")
html_copy_source = False
html_show_sourcelink = False
_no_sidebar = ["index", "install", "changelog", "design"]
html_sidebars = {page: [] for page in [*_no_sidebar, "benchmarks/*"]}
html_theme_options: dict[str, Any] = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 5,
    "logo": {"text": "sklearn_refine"},
    "use_edit_page_button": bool(repository),
    "show_prev_next": False,
}
# What pages of other sites show of a link to this one (_templates/layout.html).
html_context: dict[str, Any] = {
    "description": _project["description"],
    "card": f"{html_baseurl}_static/card.png",
}
if repository:
    _host, _owner, _name = re.fullmatch(
        r"https://([^/]+)/([^/]+)/([^/]+)", repository
    ).groups()
    _kind = _host.split(".")[0]  # github or gitlab
    html_theme_options["icon_links"] = [
        {"name": "Source", "url": repository, "icon": f"fa-brands fa-{_kind}"}
    ]
    html_context |= {
        f"{_kind}_url": f"https://{_host}",
        f"{_kind}_user": _owner,
        f"{_kind}_repo": _name,
        f"{_kind}_version": "main",
        "doc_path": "docs",
    }

toc_object_entries_show_parents = "hide"
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


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Return the address of the source of an object in the repository."""
    thing: Any = sys.modules.get(info["module"])
    for name in info["fullname"].split("."):
        thing = getattr(thing, name, None)
    thing = inspect.unwrap(getattr(thing, "fget", thing))
    try:
        file = Path(inspect.getsourcefile(thing)).relative_to(docs.parent)
        lines, start = inspect.getsourcelines(thing)
    except (TypeError, ValueError, OSError):  # not of this package, or no source
        return None
    return f"{repository}/blob/main/{file}#L{start}-L{start + len(lines) - 1}"


_classes = {name: getattr(sklearn_refine, name) for name in sklearn_refine.__all__}
_examples = "".join(file.read_text() for file in docs.parent.glob("examples/*.py"))
autosummary_context = {
    "in_examples": {name for name in _classes if name in _examples},
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


def keep_errors_together(app: Any, page: str, source: list[str]) -> None:
    """Break no line before or after the sign in 0.5 ± 0.1."""
    source[0] = source[0].replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def setup(app: Any) -> None:
    """Connect after numpydoc, which connects at the default priority of 500."""
    app.connect("source-read", keep_errors_together)
    app.connect("autodoc-process-docstring", plain_text_as_literals, priority=600)
