"""Callables for refit, with the searches of this package and of scikit-learn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    one_standard_error,
    smoothed_best,
)

X, Y = load_diabetes(return_X_y=True)


def results(scores, values, name="a", metric="score"):
    """Return cv_results_ of candidates with these scores on the splits."""
    scores = np.asarray(scores, dtype=float)
    found = {f"split{i}_test_{metric}": column for i, column in enumerate(scores.T)}
    found[f"mean_test_{metric}"] = scores.mean(axis=1)
    found["params"] = [{} if value is None else {name: value} for value in values]
    return found


SCORES = [[1.0, 0.8, 0.9], [0.9, 0.8, 0.9], [0.9, 0.8, 0.9], [0.1, 0.2, 0.3]]


def test_the_simplest_near_the_best():
    found = results(SCORES, [1, 2, 3, 4])
    assert one_standard_error("a")(found) == 2
    assert one_standard_error("a", larger_is_simpler=False)(found) == 0


def test_the_best_of_equally_simple_candidates():
    assert one_standard_error("a")(results(SCORES, [3, 2, 3, 4])) == 0


@pytest.mark.parametrize(("mean", "chosen"), [(0.85, 1), (0.84, 0)])
def test_standard_error_of_the_mean_uses_the_sample_variance(mean, chosen):
    # The splits of the best have a standard deviation of 0.1; 0.1 / sqrt(3) = 0.0577.
    scores = [[1.0, 0.8, 0.9], [mean] * 3]
    assert one_standard_error("a")(results(scores, [1, 2])) == chosen


def test_layer_sizes_are_compared_by_their_sum_then_their_number():
    smaller = one_standard_error("a", larger_is_simpler=False)
    assert smaller(results(SCORES, [(64,), (32, 16), (40,), (2,)])) == 2
    assert smaller(results(SCORES, [(64,), (32, 16), (48,), (2,)])) == 2


def test_candidates_without_the_parameter_are_chosen_only_as_the_best():
    assert one_standard_error("a")(results(SCORES, [None, 2, 3, 4])) == 2
    assert one_standard_error("a")(results(SCORES[::3], [None, 4])) == 0


@pytest.mark.parametrize("other", ["scale", True, np.nan])
def test_candidates_with_other_values_are_chosen_only_as_the_best(other):
    assert one_standard_error("a")(results(SCORES, [other, 3, 2, 4])) == 1
    assert one_standard_error("a")(results(SCORES, [2, other, 3, 4])) == 2
    assert one_standard_error("a")(results(SCORES[::3], [other, 4])) == 0


def test_unlimited_depth_may_be_listed_with_depths():
    X, y = load_breast_cancer(return_X_y=True)
    search = RefiningGridSearchCV(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 2, None]},
        n_rounds=2,
        refit=one_standard_error("max_depth", larger_is_simpler=False),
    )
    assert search.fit(X, y).best_params_["max_depth"] is not None


def test_one_split_gives_no_standard_error():
    assert one_standard_error("a")(results([[1.0], [0.99]], [1, 2])) == 0


def test_dropped_and_failed_candidates_are_not_chosen():
    scores = [*SCORES[:2], [np.nan, 1.0, 1.0]]
    assert one_standard_error("a")(results(scores, [1, 2, 9])) == 1


def test_one_of_several_metrics():
    found = results(SCORES, [1, 2, 3, 4], metric="r2")
    assert one_standard_error("a", metric="r2")(found) == 2


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (results(SCORES, [1, 2, 3, 4], metric="r2"), r"metric='score' .*\['r2'\]"),
        (results(SCORES, [1, 2, 3, 4], name="b"), r"param='a' .* one of \['b'\]"),
        (results([[np.nan, 1.0]], [1]), "no candidate has a score"),
        (results(SCORES, ["x", "y", "z", "w"]), "a='x' is neither a number"),
        (results(SCORES, [True, False, True, True]), "a=True is neither a number"),
    ],
)
def test_errors_of_one_standard_error(found, message):
    with pytest.raises(ValueError, match=message):
        one_standard_error("a")(found)


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1.0]}),
        RefiningGridSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1.0]}),
        RefiningGridSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1.0]}, racing=True),
        RandomizedSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1.0]}, n_iter=4),
        SuccessiveRandomSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1.0]}, n_iter=4),
    ],
)
def test_with_every_search(search):
    search.set_params(refit=one_standard_error("alpha")).fit(X, Y)
    means = search.cv_results_["mean_test_score"]
    best = int(np.nanargmax(means))
    splits = [search.cv_results_[f"split{i}_test_score"][best] for i in range(5)]
    error = np.std(splits, ddof=1) / np.sqrt(5)
    alphas = np.array([params["alpha"] for params in search.cv_results_["params"]])
    assert search.best_params_["alpha"] == alphas[means >= means[best] - error].max()
    assert hasattr(search, "best_estimator_")


def test_it_can_be_pickled():
    refit = pickle.loads(pickle.dumps(one_standard_error("a")))
    assert refit(results(SCORES, [1, 2, 3, 4])) == 2


@given(
    scores=st.lists(
        st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=1, max_size=8
    ),
    larger=st.booleans(),
)
def test_never_more_than_one_standard_error_is_given_up(scores, larger):
    found = results(scores, range(len(scores)))
    chosen = one_standard_error("a", larger_is_simpler=larger)(found)
    means = found["mean_test_score"]
    best = int(means.argmax())
    assert means[chosen] >= means[best] - np.std(scores[best], ddof=1) / np.sqrt(3)


def parabola(seed=0, n=100, noise=0.1, n_splits=3):
    """Return cv_results_ of a parabola with its top at 0.3, and noise."""
    x = np.linspace(0, 1, n)
    drawn = np.random.RandomState(seed).normal(scale=noise, size=(n, n_splits))
    return results(-((x - 0.3) ** 2)[:, np.newaxis] + drawn, x.tolist())


@pytest.mark.parametrize("n_splits", [1, 3])
def test_smoothing_is_not_misled_by_one_lucky_score(n_splits):
    lost = {"plain": [], "smoothed": []}
    for seed in range(30):
        found = parabola(seed, n_splits=n_splits)
        chosen = found["mean_test_score"].argmax(), smoothed_best()(found)
        for name, index in zip(lost, chosen, strict=True):
            lost[name].append((found["params"][index]["a"] - 0.3) ** 2)
    assert np.mean(lost["smoothed"]) < 0.5 * np.mean(lost["plain"])


def test_smoothing_keeps_a_score_that_the_splits_agree_on():
    found = parabola(noise=0.01)
    for name in [name for name in found if name != "params"]:
        found[name] = found[name].copy()
        found[name][35] += 1.0
    assert smoothed_best()(found) == 35


def test_smoothing_chooses_only_complete_candidates():
    found = parabola()
    best = smoothed_best()(found)
    for key in [key for key in found if key != "params"]:
        found[key] = found[key].copy()
    found["split1_test_score"][best] = np.nan
    found["mean_test_score"][best] = np.nan
    assert smoothed_best()(found) != best


def test_smoothing_reads_all_kinds_of_values():
    rng = np.random.RandomState(0)
    choices = {
        "number": [0.1, 1.0, 10.0],
        "layers": [(4,), (8, 4), (16, 8)],
        "mixed": ["scale", 0.1, 1.0],
        "scaler": [None, StandardScaler(), MinMaxScaler()],
        "function": [np.mean, len],
        "flag": [True, False],
        "nan": [np.nan, 0.0],
    }
    params = [
        {k: v[rng.randint(len(v))] for k, v in choices.items() if rng.rand() < 0.9}
        for _ in range(40)
    ]
    good = np.array([params.get("flag", False) for params in params], dtype=float)
    scores = good[:, np.newaxis] + 0.1 * rng.normal(size=(40, 3))
    found = results(scores, [0] * 40) | {"params": params}
    assert params[smoothed_best()(found)]["flag"]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (results(SCORES[:2], [1, 2]), "only 2 candidates"),
        (results([[1.0, 2.0]] * 4, [1, 2, 3, 4]), "all scores are equal"),
        (results(SCORES, [1, 1, 1, 1]), "differ in no parameter"),
    ],
)
def test_scores_that_cannot_be_smoothed_fall_back_with_a_warning(found, message):
    with pytest.warns(UserWarning, match=f"{message}.*the best mean is chosen"):
        assert smoothed_best()(found) == 0


def test_a_singular_covariance_falls_back_with_a_warning(monkeypatch):
    def fail(*args):
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr("sklearn_refine.results._smoothing.gaussian_process", fail)
    found = parabola()
    with pytest.warns(UserWarning, match="not positive definite; the candidate"):
        assert smoothed_best()(found) == found["mean_test_score"].argmax()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (results(SCORES, [1, 2, 3, 4], metric="r2"), r"smoothed_best: metric='score'"),
        (results([[np.nan, 1.0]], [1]), "smoothed_best: no candidate has a score"),
    ],
)
def test_errors_of_smoothed_best(found, message):
    with pytest.raises(ValueError, match=message):
        smoothed_best()(found)


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1.0]}),
        RefiningGridSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1.0]}),
        RefiningGridSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1.0]}, racing=True),
        RandomizedSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1.0]}, n_iter=4),
        SuccessiveRandomSearchCV(
            Ridge(), {"alpha": np.logspace(-3, 1, 9).tolist()}, n_iter=9
        ),
    ],
)
def test_smoothing_with_every_search(search):
    refit = pickle.loads(pickle.dumps(smoothed_best()))
    search.set_params(refit=refit).fit(X, Y)
    assert search.best_index_ == refit(search.cv_results_)
    assert search.best_estimator_.alpha == search.best_params_["alpha"]


def test_smoothing_one_of_several_metrics():
    search = GridSearchCV(
        Ridge(),
        {"alpha": [0.001, 0.1, 10.0, 1000.0]},
        scoring=["r2", "neg_mean_squared_error"],
        refit=smoothed_best("neg_mean_squared_error"),
    ).fit(X, Y)
    assert search.best_params_["alpha"] < 1


def test_many_candidates_are_smoothed_from_a_part_of_them():
    assert abs(smoothed_best()(parabola(n=1200)) / 1199 - 0.3) < 0.2
