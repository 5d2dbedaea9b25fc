"""MLflow's autologging writes no wrong run, and the page's function logs any search."""

import re
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from scipy.stats import loguniform
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV

WHY = "install the dependency group 'neighbours' to run this"
mlflow = pytest.importorskip("mlflow", reason=WHY)
for module in ("sqlalchemy", "alembic"):  # of MLflow's default store
    pytest.importorskip(module, reason=WHY)

# The warnings of MLflow are none of this package's business.
pytestmark = pytest.mark.filterwarnings("ignore")

X, Y = load_diabetes(return_X_y=True)
GRID = {"alpha": [0.01, 0.1, 1.0]}
PIPE = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
PAGE = Path(__file__).parents[2] / "docs" / "user_guide" / "mlflow.md"
(CODE,) = re.findall(r"```python\n(import mlflow\n.*?)```", PAGE.read_text(), re.DOTALL)
PAGE_NAMES = {}
exec(CODE, PAGE_NAMES)
log_search = PAGE_NAMES["log_search"]


@pytest.fixture(scope="module", autouse=True)
def _store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where artifacts are written
        yield
    mlflow.set_tracking_uri(None)


@pytest.fixture(autouse=True)
def _experiment(request):
    mlflow.set_experiment(re.sub(r"\W", "_", request.node.name))


@pytest.fixture
def autolog():
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    yield
    mlflow.sklearn.autolog(disable=True, silent=True)


def read_runs():
    return mlflow.search_runs(output_format="list")


def parent_of(run):
    return run.data.tags.get("mlflow.parentRunId")


def grid_search(**params):
    return RefiningGridSearchCV(Ridge(), GRID, cv=3, **params)


def random_search(**params):
    space = {"alpha": loguniform(1e-3, 1e2)}
    return SuccessiveRandomSearchCV(
        Ridge(), space, n_iter=9, cv=3, random_state=0, **params
    )


def pipeline_search(**params):
    return RefiningGridSearchCV(PIPE, {"model__alpha": GRID["alpha"]}, cv=3, **params)


def surrogate_search(**params):
    return random_search(surrogate=GaussianProcessRegressor(), **params)


SEARCHES = [grid_search, random_search, pipeline_search, surrogate_search]


@pytest.mark.parametrize("inside_run", [True, False])
@pytest.mark.parametrize("make_search", SEARCHES)
def test_only_the_refit_logs_itself(autolog, make_search, inside_run):
    search = make_search()
    if inside_run:
        with mlflow.start_run():
            search.fit(X, Y)
    else:
        search.fit(X, Y)
    (run,) = read_runs()
    for name, value in search.best_params_.items():
        assert float(run.data.params[name]) == value
    assert run.data.metrics["training_score"] == pytest.approx(search.score(X, Y))
    assert not any("X_test" in name for name in run.data.metrics)


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_fits_in_workers_do_not_log_themselves(autolog, backend):
    with parallel_config(backend):
        search = grid_search(n_jobs=2).fit(X, Y)
    (run,) = read_runs()
    assert float(run.data.params["alpha"]) == search.best_params_["alpha"]


def test_without_refit_nothing_is_logged(autolog):
    grid_search(refit=False).fit(X, Y)
    assert read_runs() == []


def test_an_inner_search_logs_only_the_last_refit(autolog):
    outer = RefiningGridSearchCV(grid_search(), {"n_rounds": [1, 2]}, cv=2, n_rounds=1)
    outer.fit(X, Y)
    (run,) = read_runs()
    best = outer.best_estimator_.best_params_
    assert float(run.data.params["alpha"]) == best["alpha"]


def test_the_user_logs_on_after_a_search(autolog):
    grid_search(refit=False).fit(X, Y)
    Ridge(alpha=7.0).fit(X, Y)
    (run,) = read_runs()
    assert run.data.params["alpha"] == "7.0"


def test_grid_search_has_the_names_that_the_page_uses(autolog):
    search = GridSearchCV(Ridge(), GRID, cv=3)
    with mlflow.start_run():
        search.fit(X, Y)
        log_search(search)  # would raise if it logged another value for a name
    children = [run for run in read_runs() if parent_of(run)]
    (parent,) = (run for run in read_runs() if not parent_of(run))
    assert float(parent.data.params["best_alpha"]) == search.best_params_["alpha"]
    assert parent.data.metrics["best_cv_score"] == search.best_score_
    own = [run for run in children if run.info.run_name.startswith("candidate ")]
    others = [run for run in children if run not in own]
    assert len(own) == len(others) == len(GRID["alpha"])
    for run in own:
        assert any(run.data.metrics.items() <= o.data.metrics.items() for o in others)


def nan_to_fail(estimator, X, y):
    return np.nan if estimator.alpha > 0.5 else estimator.score(X, y)


CASES = {
    "grid": grid_search(),
    "random": random_search(),
    "one round": grid_search(n_rounds=1),
    "racing": random_search(racing=True),
    "no score": grid_search(scoring=nan_to_fail),
    "several metrics": grid_search(
        scoring=["r2", "neg_mean_absolute_error"], refit="r2"
    ),
    "callable refit": grid_search(refit=lambda results: 1),
    "no refit": grid_search(refit=False),
    "steps": RefiningGridSearchCV(
        PIPE, {"scale": [StandardScaler(), MinMaxScaler()], "model__alpha": [0.1, 1.0]}
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("with_autolog", [False, True])
def test_the_function_of_the_page(request, name, with_autolog):
    if with_autolog:
        request.getfixturevalue("autolog")
    search = CASES[name]
    with mlflow.start_run() as parent:
        search.fit(X, Y)
        log_search(search)
    runs = read_runs()
    (own,) = (run for run in runs if not parent_of(run))
    assert own.info.run_id == parent.info.run_id
    for param, value in search.best_params_.items():
        assert own.data.params[f"best_{param}"] == str(value)
    if hasattr(search, "best_score_"):
        assert own.data.metrics["best_cv_score"] == search.best_score_
    results = search.cv_results_
    children = {run.info.run_name: run for run in runs if parent_of(run)}
    assert len(children) == len(results["params"])
    for i, params in enumerate(results["params"]):
        run = children[f"candidate {i}"]
        assert parent_of(run) == parent.info.run_id
        assert run.data.params == {name: str(value) for name, value in params.items()}
        means = {k: v[i] for k, v in results.items() if k.startswith("mean_test_")}
        expected = {k: v for k, v in means.items() if np.isfinite(v)}
        if "round" in results:
            expected["round"] = results["round"][i]
        assert run.data.metrics == expected


def test_the_function_of_the_page_needs_a_run():
    with pytest.raises(RuntimeError, match=r"inside `with mlflow\.start_run\(\):`"):
        log_search(grid_search().fit(X, Y))
    assert read_runs() == []
