"""Create figures and axes; import matplotlib only here and only on demand.

Importing the package and reading a search must work without matplotlib.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def new_axes(
    display: str, ax: Any = None, size: tuple[float, float] = (6.4, 4.8)
) -> Any:
    """Return `ax`, or the axes of a new figure if `ax` is None.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    if ax is not None:
        return ax
    plt = import_pyplot(f"{display}.plot")
    return plt.subplots(figsize=size, layout="constrained")[1]


def new_panels(display: str, n: int, ax: Any, size: tuple[float, float]) -> list[Any]:
    """Return the `n` axes in `ax`, or `n` axes of a new figure if `ax` is None.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `ax` has another number of axes.
    """
    if ax is not None:
        axes = list(np.ravel(np.asarray(ax, dtype=object)))
        if len(axes) != n:
            raise ValueError(
                f"ax has {len(axes)} axes, but {display} has {n} panels; pass as many "
                "axes, or None for a new figure."
            )
        return axes
    n_columns = panel_columns(n)
    n_rows = -(-n // n_columns)
    figure = import_pyplot(f"{display}.plot").figure(
        figsize=(max(size[0] * n_columns, 4.0), size[1] * n_rows), layout="constrained"
    )
    return add_panels(figure, n)


def panel_columns(n: int) -> int:
    """Return the number of columns in which `n` panels are arranged."""
    return n if n <= 4 else 3 if n in (5, 6, 9) else 4


def add_panels(figure: Any, n: int) -> list[Any]:
    """Add `n` axes with a common vertical axis to a figure."""
    axes: list[Any] = []
    shape = -(-n // panel_columns(n)), panel_columns(n)
    for index in range(n):
        axes.append(
            figure.add_subplot(*shape, index + 1, sharey=axes[0] if axes else None)
        )
        if index % panel_columns(n):
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


def _missing(what: str) -> str:
    """Return the error message for a missing matplotlib."""
    return (
        f"{what} needs matplotlib, which cannot be imported; install it with: "
        "pip install sklearn-refine[plot]"
    )
