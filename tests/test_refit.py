"""Callables for refit, with the searches here and with scikit-learn's."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    one_standard_error,
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


def test_of_equally_simple_ones_the_best():
    assert one_standard_error("a")(results(SCORES, [3, 2, 3, 4])) == 0


def test_layer_sizes_are_compared_by_their_sum_then_their_number():
    smaller = one_standard_error("a", larger_is_simpler=False)
    assert smaller(results(SCORES, [(64,), (32, 16), (40,), (2,)])) == 2
    assert smaller(results(SCORES, [(64,), (32, 16), (48,), (2,)])) == 2


def test_candidates_without_the_parameter_only_as_the_best():
    assert one_standard_error("a")(results(SCORES, [None, 2, 3, 4])) == 2
    assert one_standard_error("a")(results(SCORES[::3], [None, 4])) == 0


def test_one_split_leaves_no_room():
    assert one_standard_error("a")(results([[1.0], [0.99]], [1, 2])) == 0


def test_dropped_and_failed_candidates_are_not_chosen():
    scores = [*SCORES[:2], [np.nan, 1.0, 1.0]]
    assert one_standard_error("a")(results(scores, [1, 2, 9])) == 1


def test_a_metric_of_several():
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
def test_what_is_wrong_is_said(found, message):
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
