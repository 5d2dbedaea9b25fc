"""A pytest plugin that swaps scikit-learn's searches for those of this package.

`run.py` loads it with ``-p``. While pytest imports a test module of scikit-learn, the
names ``GridSearchCV`` and ``RandomizedSearchCV`` of ``sklearn.model_selection`` are the
two classes below. The swap comes before the import, since the import makes test cases.
"""

from __future__ import annotations

import functools
import inspect
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
import sklearn
import sklearn.model_selection
from differences import DIFFERENCES
from packaging.specifiers import SpecifierSet

import sklearn_refine

#: The test modules, and a regular expression that finds the names of their tests of
#: GridSearchCV and RandomizedSearchCV.
TESTS = {
    "sklearn.model_selection.tests.test_search": "",
    "sklearn.tests.test_metaestimators": "^test_metaestimator_delegation$",
    "sklearn.tests.test_metaestimators_metadata_routing": (
        r"\[(GridSearchCV|RandomizedSearchCV)\]"
    ),
}
#: Seed of NumPy's global generator, which some tests draw candidates from. With this
#: seed, the tests that expect an order of candidates get another order.
SEED = 1
#: A fit that never returns fails its test after this time, where the system has alarms.
MAX_SECONDS = 60


def with_one_round(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor whose default of `n_rounds` is 1.

    scikit-learn reads parameters from the signature, so the constructor has to name
    all of them.
    """
    signature = inspect.signature(init)
    parameters = [
        parameter.replace(default=1) if name == "n_rounds" else parameter
        for name, parameter in signature.parameters.items()
    ]

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        init(self, *args, **{"n_rounds": 1, **kwargs})

    vars(__init__)["__signature__"] = signature.replace(parameters=parameters)
    return __init__


class GridSearchCV(sklearn_refine.RefiningGridSearchCV):
    """The grid search under test."""

    __init__ = with_one_round(sklearn_refine.RefiningGridSearchCV.__init__)


class RandomizedSearchCV(sklearn_refine.SuccessiveRandomSearchCV):
    """The random search under test."""

    __init__ = with_one_round(sklearn_refine.SuccessiveRandomSearchCV.__init__)


SWAPPED = {cls.__name__: cls for cls in (GridSearchCV, RandomizedSearchCV)}


def pytest_report_header() -> str:
    return f"scikit-learn {sklearn.__version__}, tests run with {sklearn_refine!r}"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Swap the classes while a test module is imported."""
    if not isinstance(collector, pytest.Module):
        return (yield)
    with mock.patch.multiple(sklearn.model_selection, **SWAPPED):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Function]
) -> None:
    """Keep the tests of the two searches, and mark those that are expected to fail."""
    _check_swap(items)
    others = [i for i in items if not re.search(TESTS[i.module.__name__], i.name)]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)
    expected = {
        name: difference.reason
        for name, difference in DIFFERENCES.items()
        if SpecifierSet(difference.versions).contains(sklearn.__version__, True)
    }
    for item in items:
        if item.name in expected:
            reason = expected[item.name]
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    unknown = expected.keys() - {item.name for item in items}
    if unknown and set(TESTS) <= set(config.args):
        raise pytest.UsageError(f"differences.py names no tests: {sorted(unknown)}")


def _check_swap(items: list[pytest.Function]) -> None:
    """Raise if a test module was imported before the classes were swapped."""
    for module in {item.module for item in items}:
        for name, cls in SWAPPED.items():
            if getattr(module, name) is not cls:
                raise pytest.UsageError(f"{module.__name__} has scikit-learn's {name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Iterator[None]:
    """Seed the global generator of NumPy, and end a test that does not return."""
    np.random.seed(SEED)
    if not hasattr(signal, "SIGALRM"):
        return (yield)
    former = signal.signal(signal.SIGALRM, _fail)
    signal.alarm(MAX_SECONDS)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


def _fail(*_: Any) -> None:
    # What is raised is no Exception, so scikit-learn does not take it for a failed fit.
    pytest.fail(f"The test ran for more than {MAX_SECONDS} seconds.")
