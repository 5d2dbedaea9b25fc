"""Create figures and axes; import matplotlib only here and only on demand.

Importing the package and reading a search must work without matplotlib.
"""

from __future__ import annotations

import math
import sys
from io import BytesIO
from typing import Any

import numpy as np


def new_axes(
    display: str, ax: Any = None, size: tuple[float, float] = (6.4, 4.8)
) -> Any:
    """Return `ax`, axes added to the figure `ax`, or axes of a new figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    if ax is None:
        ax = import_pyplot(f"{display}.plot").figure(figsize=size, layout="constrained")
    return ax.subplots() if hasattr(ax, "subplots") else ax


def new_panels(display: str, n: int, ax: Any, size: tuple[float, float]) -> list[Any]:
    """Return the `n` axes in `ax`, or `n` axes added to the figure `ax` or a new one.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `ax` has another number of axes.
    """
    if ax is None:
        figsize = panels_size(n, size, panel_columns(n))
        pyplot = import_pyplot(f"{display}.plot")
        ax = pyplot.figure(figsize=figsize, layout="constrained")
    if hasattr(ax, "add_subplot"):
        return add_panels(ax, n, size)
    axes = list(np.ravel(np.asarray(ax, dtype=object)))
    if len(axes) != n:
        raise ValueError(
            f"ax has {len(axes)} axes, but {display} has {n} panels; pass as many "
            "axes, or None for a new figure."
        )
    return axes


def panels_size(
    n: int, size: tuple[float, float], n_columns: int
) -> tuple[float, float]:
    """Return the size of a figure of `n` panels of a size, in so many columns."""
    return max(size[0] * n_columns, 4.8), size[1] * -(-n // n_columns)


def panel_columns(n: int) -> int:
    """Return the number of columns of `n` panels in a figure of their own."""
    return n if n <= 4 else 3 if n in (5, 6, 9) else 4


def add_panels(figure: Any, n: int, size: tuple[float, float]) -> list[Any]:
    """Add `n` axes with a common vertical axis to a figure.

    They are in as many columns as bring them closest to the proportions of `size`.
    """
    axes: list[Any] = []
    proportions = figure.bbox.width / figure.bbox.height * size[1] / size[0]
    n_columns = min(
        range(1, n + 1),
        key=lambda columns: abs(math.log(proportions * -(-n // columns) / columns)),
    )
    shape = -(-n // n_columns), n_columns
    for index in range(n):
        axes.append(
            figure.add_subplot(*shape, index + 1, sharey=axes[0] if axes else None)
        )
        if index % n_columns:
            axes[-1].tick_params(labelleft=False)
    return axes


def import_pyplot(what: str) -> Any:
    """Import and return ``matplotlib.pyplot``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(_missing(what)) from error
    return plt


def import_figure_class(what: str) -> Any:
    """Import and return the class of figures that pyplot does not manage.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(_missing(what)) from error
    return Figure


def figure_bundle(figure: Any) -> dict[str, Any]:
    """Return the picture of a figure for a notebook, by type of content.

    There is none if nothing was drawn, or if a window or widget shows the figure. A
    figure that the notebook would show at the end of the cell is closed, so that it is
    shown once.
    """
    if hasattr(figure, "to_plotly_json"):
        return dict(figure._repr_mimebundle_())
    if not hasattr(figure, "savefig"):
        return {}
    if getattr(figure.canvas, "required_interactive_framework", None):
        return {}
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=figure.dpi)
    if "matplotlib.pyplot" in sys.modules:
        import_pyplot("A display").close(figure)
    return {"image/png": picture.getvalue()}


def _missing(what: str) -> str:
    """Return the error message for a missing matplotlib."""
    return (
        f"{what} needs matplotlib, which cannot be imported; install it with: "
        "pip install sklearn-refine[plot]"
    )
