"""The progress line: what it says, where it is drawn, and what it costs."""

from __future__ import annotations

import io
import math
import pickle
import re

import pytest
import sklearn
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.fixes import parse_version

from sklearn_refine import RefiningGridSearchCV, RoundProgress, SuccessiveRandomSearchCV
from sklearn_refine._progress import clock_text, progress_text
from sklearn_refine.evaluation._progress import Progress

X, Y = load_iris(return_X_y=True)
HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")
with_callbacks = pytest.mark.skipif(
    not HAS_CALLBACKS, reason="sklearn.callback is new in scikit-learn 1.9"
)
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [1, 2, 3], "ccp_alpha": [0.01, 0.1]}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Listener:
    """Keeps the states of a search, as a callback that sees nothing else."""

    needs_fits = False

    def __init__(self):
        self.states = []

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...
    def on_fit_task_end(self, estimator, context): ...

    def on_search_progress(self, state):
        self.states.append(state)


@with_callbacks
@pytest.mark.parametrize("racing", [False, True])
@pytest.mark.parametrize("cls", [RefiningGridSearchCV, SuccessiveRandomSearchCV])
def test_states_agree_with_the_results(cls, racing):
    options = (
        {"n_iter": 6, "random_state": 0} if cls is SuccessiveRandomSearchCV else {}
    )
    listener = Listener()
    search = cls(TREE, GRID, n_rounds=2, cv=3, racing=racing, **options)
    search.set_callbacks(listener).fit(X, Y)
    ends = [state for state in listener.states if state.is_round_done]
    rounds = search.rounds_
    assert [state.round for state in ends] == rounds.index.tolist()
    assert [state.n_fits for state in ends] == rounds["n_fits"].tolist()
    best = [state.best for state in ends]
    assert best == pytest.approx(rounds["best_so_far"].tolist())
    assert ends[-1].n_fits_total == search.n_fits_
    assert ends[-1].seconds_left == 0
    assert all(state.n_fits <= state.n_planned for state in listener.states)


class Notebook(io.StringIO):
    """Like the standard output of a notebook, which is no terminal."""


Notebook.__module__ = "ipykernel.iostream"


@with_callbacks
@pytest.mark.parametrize("kind", [Terminal, Notebook])
def test_one_line_in_a_terminal_and_in_a_notebook(kind):
    file = kind()
    search = RefiningGridSearchCV(TREE, GRID, n_rounds=2, cv=2)
    search.set_callbacks(RoundProgress(file=file)).fit(X, Y)
    text = file.getvalue()
    assert text.count("\n") == 1
    assert text.startswith("\rRound 1/2, 0/12 fits")
    last = rf"\rRound 2/2, \d+/\d+ fits, best 0.\d+, {search.n_fits_} fits in .* s\n"
    assert re.search(last, text)
    assert max(map(len, text.split("\r"))) <= 80


@with_callbacks
def test_a_line_per_round_in_a_log(capsys):
    RefiningGridSearchCV(TREE, GRID, n_rounds=2, cv=2).set_callbacks(
        RoundProgress()
    ).fit(X, Y)
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Round 1/2, 12/12 fits, best 0.\d+, .* left", first)
    assert second.startswith("Round 2/2, ")


@with_callbacks
def test_work_is_shared_as_without_it():
    forest = RandomForestClassifier(random_state=0)
    search = RefiningGridSearchCV(forest, {"n_estimators": [2, 4, 8]}, n_rounds=1, cv=2)
    fits = []
    forest_fit = RandomForestClassifier.fit

    def count(self, *args, **kwargs):
        fits.append(self.n_estimators)
        return forest_fit(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RandomForestClassifier, "fit", count)
        search.set_params(refit=False).fit(X, Y)
        plain, fits = len(fits), []
        search.set_callbacks(RoundProgress(file=io.StringIO())).fit(X, Y)
    assert len(fits) <= plain


@with_callbacks
def test_in_cross_validation_and_pickled():
    search = RefiningGridSearchCV(TREE, GRID, n_rounds=1)
    search.set_callbacks(RoundProgress(file=io.StringIO()))
    assert len(cross_val_score(search, X, Y, cv=2)) == 2
    pickle.dumps(RoundProgress())


@with_callbacks
def test_another_search_is_refused():
    search = GridSearchCV(TREE, GRID).set_callbacks(RoundProgress())
    with pytest.raises(TypeError, match="a GridSearchCV has none"):
        search.fit(X, Y)


@pytest.mark.skipif(HAS_CALLBACKS, reason="scikit-learn has callbacks")
def test_an_older_scikit_learn_is_named():
    with pytest.raises(ImportError, match=r"needs scikit-learn 1\.9 .* verbose=1"):
        RoundProgress()


def test_the_time_left_counts_from_the_first_fit(monkeypatch):
    clock = iter([0.0, 100.0, 100.0, 120.0, 121.0, 122.0, 123.0])
    name = "sklearn_refine.evaluation._progress.time.perf_counter"
    monkeypatch.setattr(name, lambda: next(clock))
    listener = Listener()
    progress = Progress([listener], lambda outcome: outcome["score"], [3, 6], 1)
    progress.begin_round(3)
    for row, score in enumerate([0.5, math.nan, 0.7]):
        progress.add_fit(row, {"score": score})
    progress.end_round()
    left = [state.seconds_left for state in listener.states]
    assert math.isnan(left[0])
    assert math.isnan(left[1])
    assert left[2:] == [7.0, 6.0, 9.0]
    best = [state.best for state in listener.states]
    assert best[2:] == [0.5, 0.7, 0.7]
    assert (
        progress_text(listener.states[2]) == "Round 1/2, 2/3 fits, best 0.5, 7 s left"
    )


def test_times_as_on_a_clock():
    times = [clock_text(seconds) for seconds in (0.42, 9.6, 59.9, 80, 7380)]
    assert times == ["0.4 s", "10 s", "1:00", "1:20", "2:03:00"]
