"""Tables of results, parameters and noise of any fitted search."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import lognorm, loguniform, randint, uniform
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import RandomizedSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from toy_searches import UNFITTED, Toy, X, Y, fitted

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    log_randint,
)
from sklearn_refine.results._parameters import MISSING, read_parameter
from sklearn_refine.results._smoothing import estimate_noise
from sklearn_refine.results._table import read_results, read_search


def read(values, name="a", estimator=None, scale=None):
    rounds = np.ones(len(values), dtype=int)
    return read_parameter(name, values, rounds, estimator, scale)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3], "linear"),
        ([1e-4, 1e-2, 1], "log"),
        ([1, 2, 4, 8], "log"),
        ([-1, 0, 100], "linear"),
        ([(4,), (8, 4), (16,)], "choice"),
        (["a", "b"], "choice"),
        ([True, False], "choice"),
        ([None, 1, 2], "choice"),
        (["scale", 0.1, 1.0], "choice"),
        ([0.5, float("nan")], "choice"),
        ([Ridge(), Lasso(), None], "choice"),
        ([np.mean, len], "choice"),
        ([3, 3, 3], "choice"),
    ],
)
def test_kind_of_a_parameter(values, kind):
    assert read(values).kind == kind
    assert read([*values, MISSING]).kind == kind


@pytest.mark.parametrize("values", [[(4,), (8, 4), (16,)], [[4], [8, 4]]])
def test_layers_are_known_by_the_name_of_the_parameter(values):
    assert read(values, "mlp__hidden_layer_sizes").kind == "layers"
    assert read([*values, MISSING], "layers").kind == "layers"


@pytest.mark.parametrize("n", [20, 300])
@pytest.mark.parametrize(
    ("distribution", "kind"),
    [
        (loguniform(1e-4, 1), "log"),
        (uniform(0, 1), "linear"),
        (log_randint(4, 512), "log"),
    ],
)
def test_scale_of_numbers_drawn_at_random(n, distribution, kind):
    for seed in range(3):
        drawn = distribution.rvs(size=n, random_state=np.random.RandomState(seed))
        assert read([*drawn]).kind == kind


@pytest.mark.parametrize("start", [[1e-4, 1e-2, 1.0], [1e-4, 1.0, 1e-4, 1.0]])
def test_the_first_round_of_a_grid_shows_the_scale(start):
    values = [*start, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 1.0]
    rounds = np.repeat([1, 2], [len(start), 8])
    assert read_parameter("a", values, rounds).kind == "log"


@pytest.mark.parametrize(
    ("distribution", "kind"),
    [
        (loguniform(1, 100), "log"),
        (loguniform(1e-4, 1), "log"),
        (uniform(0, 1), "linear"),
        (uniform(-1, 2), "linear"),
        (randint(1, 500), "linear"),
        (log_randint(4, 512), "log"),
        (lognorm(2.0), "log"),
    ],
)
@pytest.mark.parametrize("search", [SuccessiveRandomSearchCV, RandomizedSearchCV])
def test_a_distribution_shows_the_scale(search, distribution, kind):
    space = {"drop": distribution}
    for seed in range(3):
        made = search(Drop(), space, n_iter=6, cv=2, random_state=seed, refit=False)
        (parameter,) = read_search(made.fit(X, Y)).parameters
        assert parameter.kind == kind


class Drop(Toy):
    """An estimator whose score is the sine of its parameter."""

    def score(self, X, y):
        return np.sin(self.drop)


@pytest.mark.parametrize(
    "values", [[1, 10, 100, 200, 300, 400, 500, 600, 700], range(1, 10**9)]
)
def test_a_list_is_read_as_the_searches_read_it(values):
    space = {"drop": values}
    search = RandomizedSearchCV(Drop(), space, n_iter=3, cv=2, random_state=0)
    (parameter,) = read_search(search.fit(X, Y)).parameters
    assert parameter.kind == "linear"


class Decades:
    """A distribution that can be drawn from, and nothing else."""

    def rvs(self, random_state):
        return 10.0 ** random_state.randint(-4, 1)


@pytest.mark.parametrize(
    "space",
    [{"drop": Decades()}, [{"drop": Decades()}, {"drop": [1e-3, 0.1]}], None, [3], "x"],
)
def test_the_search_space_need_not_show_the_scale(space):
    drawn = {"drop": Decades()}
    search = RandomizedSearchCV(Drop(), drawn, n_iter=20, cv=2, random_state=0)
    search.fit(X, Y).param_distributions = space
    (parameter,) = read_search(search).parameters
    assert parameter.kind == "log"


def test_few_numbers_of_a_first_round_do_not_show_the_scale():
    rng = np.random.RandomState(0)
    wrong = {"log": 0, "linear": 0}
    for _ in range(100):
        for distribution, kind in ((loguniform(1, 100), "log"), (uniform(), "linear")):
            drawn = distribution.rvs(size=24, random_state=rng).tolist()
            rounds = np.repeat(np.arange(8), 3)
            wrong[kind] += read_parameter("a", drawn, rounds).kind != kind
    assert max(wrong.values()) <= 20


def test_the_users_scale_and_the_estimator_come_first():
    assert read([1e-4, 1e-2, 1], scale="linear").kind == "linear"
    assert read([1, 2, 3], scale="choice").kind == "choice"
    assert read(["x", "y"], scale="log").kind == "choice"
    pairs = [(1, 1), (1, 2), (2, 2)]
    assert read(pairs, "ngram_range", CountVectorizer()).kind == "choice"
    assert read(pairs, "hidden_layer_sizes", MLPRegressor()).kind == "layers"
    assert read([1, 2, 3], "random_state", MLPRegressor()).kind == "choice"


def test_levels_are_sorted_and_labels_differ():
    assert read([3, 1, 2, 1]).levels == [1, 2, 3]
    layers = read([(8, 4), (4,), (16,)], "layers").levels
    assert layers == [(4,), (16,), (8, 4)]
    assert read(["b", 2, None, 1]).labels == ["1", "2", "b", "None"]
    assert read(["None", None, "1", 1]).labels == ["1", "'None'", "None", "'1'"]
    assert read([Ridge(), None]).labels == ["Ridge", "None"]
    labels = read([Ridge(), Ridge(alpha=2)]).labels
    assert labels == ["Ridge()", "Ridge(alpha=2)"]
    assert read([np.mean, np.zeros(3)]).labels == ["mean", "array (3,)"]
    long = read(["x" * 50, "x" * 60]).labels
    assert len(set(long)) == 2
    assert max(map(len, long)) < 35


def test_positions():
    assert read([1.0, 10.0, MISSING]).positions[:2].tolist() == [1.0, 10.0]
    assert np.isnan(read([1.0, 10.0, MISSING]).positions[2])
    assert read(["b", "a", "b"]).positions.tolist() == [0, 1, 0]


@pytest.mark.slow
def test_features_are_of_unit_range():
    for name in UNFITTED:
        results = read_search(fitted(name))
        X, groups = results.features(np.arange(len(results)))
        assert X.shape == (len(results), len(groups))
        assert X.min() >= -1e-9
        assert X.max() <= 1 + 1e-9


def test_numpy_scalars_and_equal_estimators_are_one_level():
    assert read([np.float64(1.0), 1.0, 2.0]).levels == [1.0, 2.0]
    assert len(read([StandardScaler(), StandardScaler()]).levels) == 1


@pytest.mark.parametrize("name", UNFITTED)
def test_scores_and_status(name):
    search = fitted(name)
    results = read_search(search)
    metric = "own" if name == "multimetric" else "score"
    means = search.cv_results_[f"mean_test_{metric}"]
    complete = results.status == "complete"
    np.testing.assert_array_equal(complete, ~np.isnan(means))
    np.testing.assert_array_equal(results.scores[complete], means[complete])
    assert results.best == search.best_index_
    assert results.seconds.min() >= 0
    expected = {"failing": {"failed"}, "racing": {"failed", "dropped"}}
    assert set(results.status) == expected.get(name, set()) | {"complete"}


def test_a_paused_candidate_has_its_partial_score():
    estimator = RandomForestClassifier(n_estimators=8, random_state=0)
    X, y = load_iris(return_X_y=True)
    search = RefiningGridSearchCV(
        estimator, {"max_depth": [1, 2, 3, 4, 5]}, n_rounds=1, racing="iterations"
    ).fit(X, y)
    results = read_search(search)
    paused = results.status == "paused"
    assert paused.any()
    assert set(results.status) == {"paused", "complete"}
    np.testing.assert_array_equal(
        results.scores[paused], search.cv_results_["partial_test_score"][paused]
    )
    assert results.best == search.best_index_


def test_a_dropped_candidate_has_its_partial_mean():
    results = read_search(fitted("racing"))
    dropped = np.flatnonzero(results.status == "dropped")
    splits = results.split_scores[dropped]
    np.testing.assert_allclose(results.scores[dropped], np.nanmean(splits, axis=1))
    assert np.isnan(splits).any(axis=1).all()
    failed = results.status == "failed"
    lr = np.array([params["lr"] for params in results.params])
    np.testing.assert_array_equal(failed, lr > 0.5)


def test_iterations_of_halving_are_rounds():
    results = read_search(fitted("halving"))
    assert results.rounds.min() == 1
    last = results.rounds == results.rounds.max()
    assert set(results.rivals) == set(np.flatnonzero(last))
    starts = np.flatnonzero(np.diff(results.rounds)) + 1
    best_so_far = results.best_so_far
    np.testing.assert_array_equal(best_so_far[starts], results.scores[starts])


def test_metric_and_label():
    assert read_search(fitted("multimetric")).metric == "own"
    assert read_search(fitted("multimetric"), "neg").label == "neg"
    search = UNFITTED["grid"].__class__(Toy(), {"alpha": [0.1]}, scoring="r2")
    assert read_search(search.fit(np.ones((20, 1)), np.arange(20.0))).label == "r2"


def test_errors_of_read_search():
    with pytest.raises(NotFittedError, match=r"GridSearchCV has no cv_results_.*fit"):
        read_search(UNFITTED["grid"].__class__(Toy(), {}))
    with pytest.raises(TypeError, match="search=3 is not a search; pass a fitted one"):
        read_search(3)
    with pytest.raises(TypeError, match=r"^search=<DataFrame> is not a search; pass a"):
        read_search(pd.DataFrame({"a": [1, 2]}))
    with pytest.raises(TypeError, match="is not a search; pass a fitted one"):
        read_search(UNFITTED["grid"].__class__)
    with pytest.raises(ValueError, match=r"metric='x' is not .*\['own', 'neg'\]"):
        read_search(fitted("multimetric"), "x")
    several = type("Search", (), {"refit": False, "fit": None})()
    several.cv_results_ = fitted("multimetric").cv_results_
    with pytest.raises(ValueError, match=r"metric=None.*refit=False.*\['own', 'neg'\]"):
        read_search(several)


def test_errors_of_chosen():
    results = read_search(fitted("grid"))
    with pytest.raises(ValueError, match=r"'x' is not .* it has: \['alpha', 'lr'\]"):
        results.chosen(["x"])
    with pytest.raises(ValueError, match=r"params='lr' is a string; .*\['lr'\]"):
        results.chosen("lr")


def test_results_without_splits_or_times_are_read():
    results = read_results({"params": [{"a": 1}], "mean_test_score": [0.5]})
    assert results.best == 0
    assert results.seconds.tolist() == [0.0]


def test_noise_is_relative_and_ignores_effects_of_splits():
    rng = np.random.RandomState(0)
    scores = 0.01 * rng.normal(size=(50, 5))
    scores[0] += [1, -1, 1, -1, 1]
    noise = estimate_noise(scores)
    assert noise[0] > 2 * noise[1:].max()
    assert 0.5 < np.median(noise) < 1.5
    np.testing.assert_allclose(estimate_noise(scores + rng.normal(size=5)), noise)
    assert estimate_noise(scores[:, :1]).tolist() == [1.0] * 50
    assert estimate_noise(np.ones((4, 3))).tolist() == [1.0] * 4
