"""What the displays have in common: axes, colours, marks and labels.

Nothing here imports matplotlib before something is drawn.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import Results

#: Scores: darker is better, also in black and white.
COLORMAP = "viridis_r"
#: The mark of each round; after the last, they start anew.
MARKERS = "osD^vPXp"
#: How windows of each round are outlined.
LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
#: With more candidates than this, points are stored as pixels in vector files.
MANY = 500


def new_axes(
    display: str, ax: Any = None, size: tuple[float, float] = (6.4, 4.8)
) -> Any:
    """Return `ax`, or the axes of a new figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    if ax is not None:
        return ax
    plt = pyplot_for(f"{display}.plot")
    return plt.subplots(figsize=size, layout="constrained")[1]


def new_grid(display: str, n: int, ax: Any, size: tuple[float, float]) -> list[Any]:
    """Return `n` axes in rows of up to four: those of `ax`, or of a new figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `ax` has another number of axes.
    """
    if ax is not None:
        given = list(np.ravel(np.asarray(ax, dtype=object)))
        if len(given) != n:
            raise ValueError(
                f"ax has {len(given)} axes, but {display} has {n} panels; pass as many "
                "axes, or None for a new figure."
            )
        return given
    n_columns = columns(n)
    n_rows = -(-n // n_columns)
    figure = pyplot_for(f"{display}.plot").figure(
        figsize=(max(size[0] * n_columns, 4.0), size[1] * n_rows), layout="constrained"
    )
    return panels(figure, n)


def columns(n: int) -> int:
    """Return how many of `n` panels stand in a row."""
    return n if n <= 4 else 3 if n in (5, 6, 9) else 4


def panels(figure: Any, n: int) -> list[Any]:
    """Add `n` axes to a figure, which share their vertical axis."""
    made: list[Any] = []
    shape = -(-n // columns(n)), columns(n)
    for place in range(n):
        made.append(
            figure.add_subplot(*shape, place + 1, sharey=made[0] if made else None)
        )
        if place % columns(n):
            made[-1].tick_params(labelleft=False)
    return made


def pyplot_for(what: str) -> Any:
    """Return ``matplotlib.pyplot``.

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


def figure_for(what: str) -> Any:
    """Return the class of figures that belong to no window.

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
    return (
        f"{what} needs matplotlib, which cannot be imported; install it with: "
        "pip install sklearn-refine[plot]"
    )


def plain(text: str) -> str:
    """Return text that matplotlib shows as it is, dollar signs included."""
    return text.replace("$", r"\$")


def cut(text: str, length: int) -> str:
    """Return text with its end cut off if it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"


def title_of(name: str) -> str:
    """Return a parameter's name, broken after a step's name where it is long."""
    if len(name) > 22:
        name = name.replace("__", "__\n")
        lines = [textwrap.fill(part, 28) for part in name.split("\n")]
        name = "\n".join(lines)
    return plain(name)


def score_title(name: str, length: int = 22) -> str:
    """Return what a score is called, in lines of about `length` if it is long."""
    words = name.replace("_", "_ ")
    lines = textwrap.wrap(words, length, break_long_words=False)
    return plain("\n".join(line.replace("_ ", "_") for line in lines))


def rounded(scores: np.ndarray) -> np.ndarray:
    """Return scores with twelve digits, so that means of equal scores are equal.

    The mean depends on the order of the splits, in the last digits.
    """
    return np.array([float(f"{score:.12g}") for score in scores.ravel()]).reshape(
        scores.shape
    )


def score_limits(scores: np.ndarray) -> tuple[float, float]:
    """Return the range of scores that is drawn.

    It leaves out the worst ones, at most a quarter, if they lie so far off that
    differences among the others could not be seen.
    """
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return 0.0, 1.0
    high = float(finite.max())
    usual = float(np.sort(finite)[len(finite) // 4])
    low = float(finite[finite >= usual - 3 * (high - usual)].min())
    if np.ptp(rounded(np.array([low, high]))) == 0:
        margin = abs(high) * 0.01 or 0.01
        return low - margin, high + margin
    return low, high


def set_score_limits(ax: Any, low: float, high: float) -> None:
    """Let a vertical axis show these scores, with room for a line of text below."""
    ax.set_ylim(low - 0.12 * (high - low), high + 0.08 * (high - low))


def legend_above(ax: Any, neutral: Sequence[str] = ()) -> None:
    """Put a legend above the axes, where it covers nothing.

    Parameters
    ----------
    ax : Axes
        Where.
    neutral : sequence of str, default=()
        The labels of what has many colours, and is grey in the legend.
    """
    legend = ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=5,
        columnspacing=1.2,
        handletextpad=0.4,
        frameon=False,
        fontsize=9,
    )
    enlarge(legend)
    for handle in legend.legend_handles:
        if handle.get_label() in neutral:
            handle.set_array(None)  # its colours
            handle.set_facecolor("0.85")
            handle.set_linewidth(0.7)  # as where candidates are few


def enlarge(legend: Any) -> None:
    """Show the marks of a legend as large and opaque, however many there are."""
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            star = handle.get_label() == "best"
            handle.set_sizes([100.0 if star else 36.0])
            handle.set_alpha(None)


def levels_of(scores: np.ndarray) -> np.ndarray:
    """Return scores that divide the candidates into tenths, ascending.

    Colours change there, so that they tell good from better whatever the worst is.
    """
    finite = rounded(scores[np.isfinite(scores)])
    if not len(finite) or finite.min() == finite.max():
        return np.repeat(finite[0] if len(finite) else 0.0, 2)
    return np.unique(rounded(np.quantile(finite, np.linspace(0, 1, 11))))


def tenths(scores: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return where scores lie between levels, counted from 0.

    Colours are given by these numbers, for matplotlib cannot tell levels apart that lie
    close together compared with the distance to the worst.
    """
    return np.asarray(np.interp(rounded(scores), levels, np.arange(len(levels))))


def numbers_apart(values: Sequence[float]) -> list[str]:
    """Return numbers with the fewest digits, from three to twelve, that differ."""
    for digits in range(3, 13):
        labels = [f"{value:.{digits}g}" for value in values]
        if len(set(labels)) == len(set(values)):
            break
    return labels


def point_size(n: int) -> float:
    """Return an area for each of `n` points, smaller where they are many."""
    return float(np.clip(2400 / max(n, 1), 5.0, 42.0))


def marker_of(number: int) -> str:
    """Return the mark of a round, counted from 1."""
    return MARKERS[(number - 1) % len(MARKERS)]


def set_axis(
    ax: Any, which: str, parameter: Parameter, most: int = 10, length: int = 28
) -> None:
    """Scale, tick and label one axis of a plot for a parameter.

    Parameters
    ----------
    ax : Axes
        Where.
    which : {"x", "y"}
        Which axis.
    parameter : Parameter
        What lies on it.
    most : int, default=10
        The most choices that are named.
    length : int, default=28
        The most characters of a name.
    """
    getattr(ax, f"set_{which}label")(title_of(parameter.name))
    if parameter.kind == "log":
        _log_ticks(ax, which, parameter)
        return
    if parameter.is_number:
        ticks = _even_ticks("auto", integer=parameter.is_integer)
        getattr(ax, f"{which}axis").set_major_locator(ticks)
        return
    places = shown_levels(len(parameter.labels), most)
    labels = [plain(cut(parameter.labels[place], length)) for place in places]
    axis = getattr(ax, f"{which}axis")
    axis.set_ticks(places, labels)
    getattr(ax, f"set_{which}lim")(-0.5, len(parameter.labels) - 0.5)
    if which == "x" and (sum(map(len, labels)) > 22 or len(labels) > 5):
        ax.tick_params("x", rotation=30)
        for label in axis.get_ticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")


def _even_ticks(steps: int | Literal["auto"], *, integer: bool) -> Any:
    from matplotlib.ticker import MaxNLocator

    sizes = [1, 2, 2.5, 5, 10]
    return MaxNLocator(steps, steps=sizes, integer=integer, min_n_ticks=1)


def thin_ticks(ax: Any, parameter: Parameter) -> None:
    """Tick linear numbers across a narrow panel, once they are drawn, as often as fits.

    A character takes about 0.09 inches, and there is one between labels.
    """
    if parameter.kind != "linear":
        return
    from matplotlib.ticker import ScalarFormatter

    numbers = ScalarFormatter()
    numbers.set_powerlimits((-4, 6))
    ax.xaxis.set_major_formatter(numbers)
    room = ax.get_window_extent().width / ax.figure.dpi / 0.09
    for steps in range(5, 0, -1):
        ticks = _even_ticks(steps, integer=parameter.is_integer)
        ax.xaxis.set_major_locator(ticks)
        low, high = ax.get_xlim()
        shown = [tick for tick in ticks() if low <= tick <= high]
        labels = numbers.format_ticks(shown)
        if sum(len(label) + 1 for label in labels) <= room:
            return


def _log_ticks(ax: Any, which: str, parameter: Parameter) -> None:
    """Scale an axis, and tick it also where there are fewer than two powers of ten.

    matplotlib would write numbers such as 2 x 10^-1 beside each other there, until
    they overlap.
    """
    low, high = parameter.levels[0], parameter.levels[-1]
    getattr(ax, f"set_{which}scale")("log")
    if math.floor(math.log10(high)) - math.ceil(math.log10(low)) >= 1:
        return
    from matplotlib.ticker import LogLocator, NullLocator

    axis = getattr(ax, f"{which}axis")
    few = _even_ticks(4, integer=parameter.is_integer)
    axis.set_major_locator(few if high < 5 * low else LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:.4g}")
    axis.set_minor_locator(NullLocator())


def shown_levels(n: int, most: int) -> list[int]:
    """Return which of `n` levels are named: all, or as many as fit, evenly."""
    if n <= most:
        return list(range(n))
    places = np.linspace(0, n - 1, most).round()
    return [int(place) for place in np.unique(places)]


def spread(
    positions: np.ndarray,
    parameter: Parameter,
    width: float = 0.5,
    step: float = 0.6180339887,
) -> np.ndarray:
    """Move points that share a choice apart, always by the same steps."""
    if parameter.is_number or len(parameter.labels) > 30:
        return positions
    shares = (np.arange(len(positions)) * step) % 1
    return np.asarray(positions + width * (shares - 0.5))


def candidates_frame(results: Results) -> pd.DataFrame:
    """Return a row for each candidate: its round, status and score."""
    return pd.DataFrame(
        {
            "round": results.rounds,
            "status": results.status,
            "score": results.scores,
        },
        index=pd.RangeIndex(len(results), name="candidate"),
    )


def free_name(name: str, taken: Sequence[str]) -> str:
    """Return a parameter's name for a column, as in ``cv_results_`` if it is taken."""
    while name in taken:
        name = f"param_{name}"
    return name


def column(values: Sequence[Any]) -> np.ndarray:
    """Return values of any type as a column of objects."""
    made = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        made[place] = value
    return made
