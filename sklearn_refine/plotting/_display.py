"""What all displays share: reading a search, labels, figures and notebooks.

A display draws what it has read and changes nothing of the search.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from sklearn_refine.plotting._figures import figure_bundle, new_axes
from sklearn_refine.plotting._style import parameter_label
from sklearn_refine.results._from_journal import search_from_journal
from sklearn_refine.results._names import short_names
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import Results, read_search

#: Parameters of `plot` that all displays have.
COMMON_OPTIONS = """\
score_name : str, default=None
    Label of the score. If None, it is read from `scoring`.
negate_score : bool, default=False
    Whether to draw the scores with the opposite sign. Set to True for scorers
    such as "neg_mean_squared_error", to read errors instead of scores.
name : str, default=None
    Name of the search in the legend, to compare searches on the same axes. If
    None, the legend does not name the search.
title : str, default=None
    Title of the plot.
full_names : bool, default=False
    Whether to write full names of parameters, such as ``svc__C``, instead of the
    shortest ends that tell the parameters apart, such as ``C``."""

BACKEND_OPTION = """\
backend : {"matplotlib", "plotly"}, default="matplotlib"
    Library that draws. "plotly" makes an interactive figure, in which the mouse
    shows the parameters of a candidate. It needs
    ``pip install sklearn-refine[interactive]`` and ignores `ax` and options of
    matplotlib."""


def document_options(plot: Callable[..., Any]) -> Callable[..., Any]:
    """Insert the common options into the docstring of a `plot` method."""
    indent = " " * 8
    for mark, text in (("{common}", COMMON_OPTIONS), ("{backend}", BACKEND_OPTION)):
        text = text.replace("\n", f"\n{indent}")
        plot.__doc__ = (plot.__doc__ or "").replace(mark, text)
    return plot


@dataclass(frozen=True)
class Labels:
    """The texts of a plot, and the sign of its scores.

    Attributes
    ----------
    score : str
        Label of the score.
    sign : {1, -1}
        Factor of the drawn scores.
    name, title : str or None
        Name of the search, if the user gave one, and title of the plot.
    names : dict of str to str
        Names of the parameters as they are drawn, by full name.
    """

    score: str
    sign: int
    name: str | None
    title: str | None
    names: dict[str, str]

    def text(self, parameter: Parameter) -> str:
        """Return the name of a parameter as it is drawn, on one line."""
        whole, bracket, part = parameter.name.partition(" [")
        return self.names.get(whole, whole) + bracket + part

    def wrapped(self, parameter: Parameter) -> str:
        """Return the name of a parameter as label of an axis."""
        return parameter_label(self.text(parameter))


class SearchDisplay(ABC):
    """Base of the displays of a search."""

    def __init__(
        self, *, results: Any, parameters: list[Any], score_name: str, name: str
    ) -> None:
        self.results: Results = results
        self.parameters: list[Parameter] = parameters
        self.score_name = score_name
        self.name = name

    @classmethod
    def from_search(
        cls,
        search: Any,
        params: Sequence[str] | None = None,
        *,
        ax: Any = None,
        metric: str | None = None,
        random_state: Any = 0,
        draw: bool = True,
        **options: Any,
    ) -> Self:
        """Create a display from a fitted search, and draw it.

        Parameters
        ----------
        search : estimator
            Fitted search: any object with ``cv_results_``.
        params : list of str, default=None
            Full names of the parameters to show, in this order. If None, all
            parameters that vary; in a landscape, the most important pair.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created. See :meth:`plot`.
        metric : str, default=None
            Metric to show, if the search has several. If None, the metric of `refit`.
        random_state : int, RandomState instance or None, default=0
            Source of randomness of the importances, if the display needs them.
        draw : bool, default=True
            Whether to draw. With False, only :meth:`frame` has been prepared, which
            needs no matplotlib; :meth:`plot` draws later.
        **options : dict
            Options of :meth:`plot`, such as `title`.

        Returns
        -------
        display : object
            The display, of this class.

        Raises
        ------
        ImportError
            If the library that draws is not installed.
        NotFittedError
            If the search is not fitted.
        TypeError
            If `search` is not a search, or :meth:`plot` has no such option.
        ValueError
            If the search has no such metric or parameters, or has several metrics and
            none is named. If it has too few parameters or candidates for the display.
        """
        display = cls._read(search, read_search(search, metric), params, random_state)
        if draw:
            display.plot(ax, **options)
        return display

    @classmethod
    def from_estimator(
        cls, search: Any, params: Sequence[str] | None = None, **options: Any
    ) -> Self:
        """Create a display from a fitted search, and draw it.

        This is :meth:`from_search` under the name that the displays of scikit-learn
        have.

        Parameters
        ----------
        search : estimator
            Fitted search: any object with ``cv_results_``.
        params : list of str, default=None
            Full names of the parameters to show. See :meth:`from_search`.
        **options : dict
            Other options of :meth:`from_search` and :meth:`plot`.

        Returns
        -------
        display : object
            The display, of this class.
        """
        return cls.from_search(search, params, **options)

    @classmethod
    def from_journal(
        cls,
        path: Any,
        params: Sequence[str] | None = None,
        *,
        run: int | None = None,
        **options: Any,
    ) -> Self:
        """Create a display from the journal of a search, and draw it.

        Another process may still be running the search, or it may have been
        interrupted. The candidates that have finished are drawn.

        Parameters
        ----------
        path : str or path-like
            The journal: the file that was passed to the search as `journal`.
        params : list of str, default=None
            Full names of the parameters to show. See :meth:`from_search`.
        run : int, default=None
            Number of the run, if the file holds several. If None, the run that was
            worked on last.
        **options : dict
            Other options of :meth:`from_search` and :meth:`plot`.

        Returns
        -------
        display : object
            The display, of this class.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        JournalError
            If the file is not a journal, is damaged, or has no such run.
        NotFittedError
            If no candidate has finished yet.
        """
        return cls.from_search(search_from_journal(path, run), params, **options)

    @classmethod
    def _read(
        cls,
        search: Any,
        results: Results,
        params: Sequence[str] | None,
        random_state: Any,
    ) -> Self:
        """Return the display of the results, without drawing it."""
        return cls(
            results=results,
            parameters=cls._choose(results, params),
            score_name=results.label,
            name=search_name(search),
        )

    @classmethod
    def _choose(cls, results: Results, params: Sequence[str] | None) -> list[Parameter]:
        """Return the parameters of the display; there must be at least one."""
        return results.chosen(params)

    @abstractmethod
    def frame(self) -> pd.DataFrame:
        """Return the data of the plot as a table."""

    @abstractmethod
    def plot(self, ax: Any = None) -> Self:
        """Plot the display."""

    def _labels(
        self,
        score_name: str | None,
        negate_score: bool,
        name: str | None,
        title: str | None,
        full_names: bool,
    ) -> Labels:
        """Return the texts of a plot, from its common options."""
        names = [parameter.name for parameter in self.results.parameters]
        return Labels(
            score=score_name or readable_score(self.score_name, negate_score),
            sign=-1 if negate_score else 1,
            name=name,
            title=title,
            names={n: n for n in names} if full_names else short_names(names),
        )

    def _size(self, labels: Labels) -> tuple[float, float]:
        """Return the inches of a new figure."""
        return 6.8, 4.8

    def _axes(self, ax: Any, labels: Labels) -> Any:
        """Return the axes to draw on: given, in a given figure, or in a new one."""
        return new_axes(type(self).__name__, ax, self._size(labels))

    def _draw_figure(self, figure_class: Any) -> Any:
        """Draw on a new figure of a class, which pyplot does not manage; return it."""
        size = self._size(self._labels(None, False, None, None, False))
        figure = figure_class(figsize=size, layout="constrained")
        self.plot(figure)
        return figure

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.results)} candidates of {self.name})"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Return what a notebook shows: the picture, if it does not show it anyway."""
        return {"text/plain": repr(self), **figure_bundle(getattr(self, "figure_", 0))}


def search_name(search: Any) -> str:
    """Return the name of the class of a search, also of one in a journal."""
    return str(getattr(search, "search_name", type(search).__name__))


def readable_score(name: str, negate: bool = False) -> str:
    """Return the label of a score, as scikit-learn's displays write it."""
    if negate:
        name = name.removeprefix("neg_") if name[:4] == "neg_" else f"negative {name}"
    elif name.startswith("neg_"):
        name = f"negative {name[4:]}"
    name = name.replace("_", " ")
    return name[:1].upper() + name[1:]
