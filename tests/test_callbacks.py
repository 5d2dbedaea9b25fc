"""scikit-learn's callbacks see the tree of tasks; before 1.9 nothing is called."""

import numpy as np
import pytest
import sklearn
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.utils.fixes import parse_version

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV

X, Y = load_diabetes(return_X_y=True)
SEARCHES = [
    RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=2),
    SuccessiveRandomSearchCV(
        Ridge(), {"alpha": loguniform(0.1, 10)}, n_iter=6, n_rounds=3, cv=2
    ),
]
HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")
with_callbacks = pytest.mark.skipif(
    not HAS_CALLBACKS, reason="sklearn.callback is new in scikit-learn 1.9"
)


class Recorder:
    """Notes the path of every task, and asks to stop where `stop` says so."""

    def __init__(self, stop=lambda path: False):
        self.stop = stop
        self.paths = []
        self.planned = {}
        self.calls = []

    def _path(self, context):
        names = []
        while context is not None:
            names.append((context.task_name, context.task_id))
            context = context.parent
        return tuple(reversed(names))

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.planned[self._path(context)] = context.max_subtasks

    def on_fit_task_end(self, estimator, context, *, X=None, y=None):
        path = self._path(context)
        self.paths.append(path)
        return self.stop(path)


@with_callbacks
@pytest.mark.parametrize("search", SEARCHES)
def test_tree_of_tasks(search):
    recorder = Recorder()
    search = sklearn.clone(search).set_callbacks(recorder)
    search.fit(X, Y)
    assert recorder.calls == ["setup", "teardown"]
    names = [tuple(name for name, _ in path) for path in recorder.paths]
    assert names.count(("fit", "search", "round")) == search.n_rounds_ == 3
    leaves = names.count(("fit", "search", "round", "candidate-split-evaluation"))
    assert leaves == search.n_fits_
    assert names[-1] == ("fit",)
    assert names[-2] == ("fit", "refit-with-best-params")
    planned = {tuple(n for n, _ in path): n for path, n in recorder.planned.items()}
    assert planned["fit",] == 2
    assert planned["fit", "search"] == 3
    for number, n_fits in search.rounds_["n_fits"].items():
        path = (("fit", 0), ("search", 0), ("round", number))
        assert recorder.planned[path] == n_fits


@with_callbacks
@pytest.mark.parametrize("task", ["round", "candidate-split-evaluation"])
@pytest.mark.parametrize("search", SEARCHES)
def test_a_callback_stops_after_the_round(search, task):
    recorder = Recorder(stop=lambda path: path[-1][0] == task and path[2][1] == 2)
    search = sklearn.clone(search).set_callbacks(recorder)
    search.fit(X, Y)
    assert search.stop_reason_ == "callback"
    assert search.n_rounds_ == 2
    assert hasattr(search, "best_estimator_")


@with_callbacks
@pytest.mark.filterwarnings("ignore:The estimator Ridge does not support callbacks")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bar(n_jobs, capsys):
    from sklearn.callback import ProgressBar

    search = sklearn.clone(SEARCHES[0]).set_params(n_jobs=n_jobs)
    search.set_callbacks(ProgressBar()).fit(X, Y)
    printed = capsys.readouterr().out
    assert "RefiningGridSearchCV - search #0" in printed
    assert "RefiningGridSearchCV - round #3" in printed
    assert "round #0" not in printed


@with_callbacks
def test_callbacks_of_the_estimator_and_of_listed_estimators():
    """They see the search as their parent, as in scikit-learn's own searches."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    recorder = Recorder()
    target = np.greater(Y, np.median(Y))
    model = LogisticRegression(solver="lbfgs").set_callbacks(recorder)
    RefiningGridSearchCV(model, {"C": [0.1, 1.0]}, cv=2, n_rounds=1).fit(X, target)
    outermost = {path[0][0] for path in recorder.paths}
    assert outermost == {"fit"}
    assert any(("search", 0) in path for path in recorder.paths)

    recorder.paths.clear()
    pipeline = Pipeline([("model", LogisticRegression())])
    search = RefiningGridSearchCV(pipeline, {"model": [model]}, cv=2, n_rounds=1)
    search.fit(X, target)
    assert any(("search", 0) in path for path in recorder.paths)


@with_callbacks
def test_teardown_after_an_error():
    recorder = Recorder()
    search = RefiningGridSearchCV(
        Ridge(), {"alpha": [1.0, 2.0]}, scoring=lambda *args: 1 / 0, error_score="raise"
    )
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        search.set_callbacks(recorder).fit(X, Y)
    assert recorder.calls == ["setup", "teardown"]


@pytest.mark.parametrize("search", SEARCHES)
def test_same_result_with_and_without(search):
    plain = sklearn.clone(search).set_params(**_seed(search)).fit(X, Y)
    watched = sklearn.clone(search).set_params(**_seed(search))
    if HAS_CALLBACKS:
        watched.set_callbacks(Recorder())
    watched.fit(X, Y)
    np.testing.assert_array_equal(
        plain.cv_results_["mean_test_score"], watched.cv_results_["mean_test_score"]
    )


def _seed(search):
    return {"random_state": 0} if hasattr(search, "random_state") else {}


@with_callbacks
@pytest.mark.parametrize("search", SEARCHES, ids=lambda s: type(s).__name__)
def test_callbacks_hear_of_fits_that_are_read_back(search, tmp_path):
    recorders = [Recorder(), Recorder()]
    for recorder in recorders:
        running = clone(search).set_params(journal=tmp_path / "search.db")
        running.set_callbacks(recorder).fit(X, Y)
    first, second = recorders
    assert sorted(map(str, first.paths)) == sorted(map(str, second.paths))
