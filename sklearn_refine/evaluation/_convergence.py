"""Count the fits that do not converge, instead of showing a warning for each.

The user's warning filters decide. Where they show every ConvergenceWarning, hide it or
make it an error, nothing is changed here. A change here may not break that warnings of
other code, and of other threads, are shown as without a search.
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sklearn.exceptions import ConvergenceWarning

#: Actions that show a warning at most once per place, as Python does by default.
_OCCASIONAL = ("default", "module", "once")

_fit = threading.local()
_show_others = warnings.showwarning


@contextmanager
def listen() -> Iterator[list[str]]:
    """Collect the texts of the ConvergenceWarnings of one fit, in this thread."""
    outer = getattr(_fit, "texts", None)
    texts: list[str] = []
    _fit.texts = texts
    try:
        yield texts
    finally:
        _fit.texts = outer


def may_summarize() -> bool:
    """Whether the user's filters leave it open how often a warning is shown."""
    return _place_of_filter() is not None


def _place_of_filter() -> int | None:
    """Return the place of the filter that shows all warnings, or None.

    Filters for a text or a module, such as ``ignore`` for one message, come before it.
    """
    for place, (action, text, category, module, _) in enumerate(warnings.filters):
        if issubclass(ConvergenceWarning, category) and text is None and module is None:
            return place if action in _OCCASIONAL else None
    return len(warnings.filters)


@contextmanager
def summarize() -> Iterator[None]:
    """Give the ConvergenceWarnings of fits in this process to `listen`."""
    global _show_others
    with warnings.catch_warnings():
        place = _place_of_filter()
        # In a worker of joblib, the filter of the search is there.
        if place is not None:
            # A repeated warning would not be seen otherwise.
            always = ("always", None, ConvergenceWarning, None, 0)
            filters: list[Any] = [*warnings.filters]
            warnings.filters = [*filters[:place], always, *filters[place:]]
        if warnings.showwarning is not _show:
            _show_others = warnings.showwarning
            warnings.showwarning = _show
        yield


def _show(message: Any, category: type[Warning], *args: Any, **kwargs: Any) -> None:
    texts = getattr(_fit, "texts", None)
    if texts is not None and issubclass(category, ConvergenceWarning):
        texts.append(str(message))
    else:
        _show_others(message, category, *args, **kwargs)


class ConvergenceCounts:
    """How many fits have not converged, and at which number of iterations.

    Parameters
    ----------
    estimator : estimator
        Its parameters called ``max_iter`` are the limits.

    Attributes
    ----------
    n_fits, n_unconverged : int
        Numbers of fits.
    texts : Counter of str
        The first warning of each of these fits.
    limits : Counter of (str, object)
        The name and value of the limit of each of these fits, if it has one.
    """

    def __init__(self, estimator: Any) -> None:
        self.n_fits = 0
        self.texts: Counter[str] = Counter()
        self.limits: Counter[tuple[str, Any]] = Counter()
        self._given = {
            name: value
            for name, value in estimator.get_params().items()
            if _is_limit(name)
        }

    @property
    def n_unconverged(self) -> int:
        return self.texts.total()

    def add(self, params: Mapping[str, Any], texts: Sequence[str]) -> None:
        """Count a fit with these parameters and warnings."""
        self.n_fits += 1
        if texts:
            self.texts[texts[0]] += 1
            limits = self._given | {n: v for n, v in params.items() if _is_limit(n)}
            set_limits = [item for item in limits.items() if item[1] is not None]
            if len(set_limits) == 1:
                self.limits.update(set_limits)


def _is_limit(name: str) -> bool:
    return name.rpartition("__")[2] == "max_iter"
