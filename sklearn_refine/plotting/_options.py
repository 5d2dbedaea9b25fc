"""What the user gives for lines, bars and points, put in place of what is usual.

matplotlib knows most options by several names, and refuses two names of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def line_options(style: dict[str, Any], given: Mapping[str, Any] | None) -> Any:
    """Return the style of a line with what the user gave in its place."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**style, **normalize_kwargs(dict(given or {}), Line2D)}


def collection_options(style: dict[str, Any], given: Mapping[str, Any] | None) -> Any:
    """Return the style of many lines with what the user gave in its place."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import Collection

    options = normalize_kwargs(dict(given or {}), Collection)
    for name in ("colors", "edgecolor"):  # of lines, these are one
        if name in options:
            options.setdefault("color", options.pop(name))
    return {**style, **options}


def bar_options(style: dict[str, Any], given: Mapping[str, Any] | None) -> Any:
    """Return the style of bars with what the user gave in its place."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.patches import Patch

    options = normalize_kwargs(dict(given or {}), Patch)
    hidden = {"color"} if "facecolor" in options else set()
    return {**_without(style, hidden), **options}


def point_options(style: dict[str, Any], given: Mapping[str, Any] | None) -> Any:
    """Return the style of points with what the user gave in its place.

    A colour that is given is that of the edges of hollow points, and of other points
    instead of those that stand for scores. Edges that are given can be seen.
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import PathCollection
    from matplotlib.markers import MarkerStyle

    options = normalize_kwargs(dict(given or {}), PathCollection)
    if not MarkerStyle(options.get("marker", style.get("marker", "o"))).is_filled():
        return _strokes(style, options)
    hidden: set[str] = set()
    if options.keys() & {"c", "color"} and style.get("facecolor") == "none":
        options.setdefault("edgecolor", _color_in(options))
    elif options.keys() & {"c", "color", "facecolor"}:
        hidden |= {"c", "cmap", "norm"} - options.keys()
        hidden |= {"color"} if options.keys() & {"c", "color"} else set()
        hidden |= {"edgecolor"} if "color" in options else set()
    if options.keys() & {"edgecolor", "facecolor"} and not style.get("linewidth"):
        hidden |= {"linewidth"}
    return {**_without(style, hidden), **options}


def _strokes(style: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the style of marks that have no area, and so one colour."""
    color = _color_in(options)
    if color is None:
        color = options.get("edgecolor")
    if color is None and style.get("facecolor") == "none":
        color = style["edgecolor"]
    areas = {"facecolor", "edgecolor"}
    hidden = areas if style.get("linewidth") else areas | {"linewidth"}
    options = _without(options, areas)
    if color is not None:
        hidden = hidden | {"c", "color", "cmap", "norm"}
        options["color"] = color
    return {**_without(style, hidden), **options}


def _color_in(options: dict[str, Any]) -> Any:
    """Take the colour out of options; None if there is none."""
    colors = [options.pop(name, None) for name in ("c", "color")]
    return colors[1] if colors[0] is None else colors[0]


def _without(style: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in style.items() if name not in names}
