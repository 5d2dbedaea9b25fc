"""Merge the user's matplotlib options into the default style of an artist.

matplotlib knows most options by several names, and raises an error if one option is
given under two names. Names are therefore normalized before merging.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_line_options(
    style: dict[str, Any], overrides: Mapping[str, Any] | None
) -> Any:
    """Return the style of a line, updated with the user's options."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**style, **normalize_kwargs(dict(overrides or {}), Line2D)}


def merge_collection_options(
    style: dict[str, Any], overrides: Mapping[str, Any] | None
) -> Any:
    """Return the style of a line collection, updated with the user's options."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import Collection

    options = normalize_kwargs(dict(overrides or {}), Collection)
    for name in ("colors", "edgecolor"):  # for lines, these mean the color
        if name in options:
            options.setdefault("color", options.pop(name))
    return {**style, **options}


def merge_bar_options(
    style: dict[str, Any], overrides: Mapping[str, Any] | None
) -> Any:
    """Return the style of bars, updated with the user's options."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.patches import Patch

    options = normalize_kwargs(dict(overrides or {}), Patch)
    replaced = {"color"} if "facecolor" in options else set()
    return {**_without(style, replaced), **options}


def merge_point_options(
    style: dict[str, Any], overrides: Mapping[str, Any] | None
) -> Any:
    """Return the style of points, updated with the user's options.

    A color replaces the edge color of hollow points. Of other points, a color replaces
    the colors by score. If the user gives an edge color, the edges get a visible width.
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import PathCollection
    from matplotlib.markers import MarkerStyle

    options = normalize_kwargs(dict(overrides or {}), PathCollection)
    if not MarkerStyle(options.get("marker", style.get("marker", "o"))).is_filled():
        return _unfilled_options(style, options)
    replaced: set[str] = set()
    if options.keys() & {"c", "color"} and style.get("facecolor") == "none":
        options.setdefault("edgecolor", _pop_color(options))
    elif options.keys() & {"c", "color", "facecolor"}:
        replaced |= {"c", "cmap", "norm"} - options.keys()
        replaced |= {"color"} if options.keys() & {"c", "color"} else set()
        replaced |= {"edgecolor"} if "color" in options else set()
    if options.keys() & {"edgecolor", "facecolor"} and not style.get("linewidth"):
        replaced |= {"linewidth"}
    merged = {**_without(style, replaced), **options}
    has_color = merged.keys() & {"edgecolor", "color"}
    if str(options.get("facecolor")) == "none" and not has_color:
        merged["edgecolor"] = "black"  # or nothing would be seen
    return merged


def _unfilled_options(style: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of markers without area, which have only one color."""
    color = _pop_color(options)
    if color is None:
        color = options.get("edgecolor")
    if color is None and style.get("facecolor") == "none":
        color = style["edgecolor"]
    areas = {"facecolor", "edgecolor"}
    replaced = areas if style.get("linewidth") else areas | {"linewidth"}
    options = _without(options, areas)
    if color is not None:
        replaced = replaced | {"c", "color", "cmap", "norm"}
        options["color"] = color
    return {**_without(style, replaced), **options}


def _pop_color(options: dict[str, Any]) -> Any:
    """Remove and return the color from options; None if there is none."""
    colors = [options.pop(name, None) for name in ("c", "color")]
    return colors[1] if colors[0] is None else colors[0]


def _without(style: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Return a copy of a style without some options."""
    return {name: value for name, value in style.items() if name not in names}
