"""Test what the report advises, and how it writes numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from toy_searches import Toy, X, Y, fitted

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV
from sklearn_refine.plotting import _advice
from sklearn_refine.plotting._advice import advise
from sklearn_refine.plotting._numbers import (
    duration_text,
    round_to_error,
    short_number,
    with_error,
)
from sklearn_refine.results._table import read_search
from sklearn_refine.results._variance import Importances


def advice(search, importances=None):
    return "\n".join(advise(search, read_search(search), importances))


def with_scores(splits, **settings):
    """Return a fitted grid search over alpha, with these scores on its splits."""
    grid = {"alpha": [10.0**n for n in range(len(splits))]}
    search = GridSearchCV(Toy(), grid, cv=len(splits[0]), refit=False).fit(X, Y)
    for number, scores in enumerate(np.transpose(splits)):
        search.cv_results_[f"split{number}_test_score"] = scores
    search.cv_results_["mean_test_score"] = np.mean(splits, axis=1)
    search.best_index_ = int(np.argmax(np.mean(splits, axis=1)))
    for name, value in settings.items():
        setattr(search, name, value)
    return search


INSIDE = [[0.1, 0.2], [0.8, 0.9], [0.3, 0.4]]


def test_nothing_stands_out():
    assert advice(with_scores(INSIDE)) == ""


def test_best_value_on_an_end_of_a_list():
    text = advice(with_scores(INSIDE[1:]))
    assert "alpha: 1 is the smallest value tried" in text
    assert "widen the list, the distribution or bounds" in text
    assert "alpha: 100 is the largest value tried" in advice(
        with_scores(sorted(INSIDE))
    )


def test_an_end_that_the_estimator_declares_is_no_advice():
    ended = with_scores(INSIDE)
    ended.best_on_edge_ = {"alpha": "0 is the smallest value tried (declared limit)"}
    assert advice(ended) == ""
    ended.best_on_edge_ = {"a__alpha": "1 is the smallest value tried (bounds)"}
    assert "a__alpha: 1 is the smallest value tried (bounds)." in advice(ended)


def test_values_that_always_fail_are_named():
    text = advice(fitted("failing"))
    assert "2 of 8 candidates have no score. None with lr=1 has one" in text


def test_fits_that_do_not_converge_are_counted():
    note = "3 of 9 fits stopped at max_iter=5 before they converged."
    assert advice(with_scores(INSIDE, _convergence_note=note)) == note


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([0.79, 0.91], "1 more candidate is as good as the best within one standard"),
        ([0.79, 0.89], ""),  # worse on both splits by the same
    ],
)
def test_noise_is_judged_on_equal_splits(second, expected):
    text = advice(with_scores([INSIDE[0], [0.8, 0.91], second, INSIDE[2]]))
    assert text.startswith(expected)
    assert bool(text) == bool(expected)
    if text:
        assert "The second best is 0.0050 ± 0.0050 below it." in text


def test_parameters_without_effect_need_evidence(monkeypatch):
    search = fitted("failing")
    shares = pd.DataFrame({"parameter": ["lr", "alpha"], "total": [0.6, 0.001]})
    monkeypatch.setattr(_advice, "MIN_FOR_EFFECTS", 7)
    assert "effect" not in advice(search, Importances(shares, 0.8))
    monkeypatch.setattr(_advice, "MIN_FOR_EFFECTS", 6)
    assert "alpha has hardly any effect" in advice(search, Importances(shares, 0.8))
    together = shares.assign(importance=0.001, total=[0.6, 0.05])
    assert "effect" not in advice(search, Importances(together, 0.8))
    weak = advice(search, Importances(shares, 0.1))
    assert "explain 10% of the variance of the scores. That is not enough" in weak
    assert "hardly any effect" not in weak


def test_the_last_round_and_the_time_budget():
    grid = {"alpha": [1e-9, 1e-8, 1e-7]}
    improving = RefiningGridSearchCV(Toy(), grid, n_rounds=2).fit(X, Y)
    assert "The last round still improved the best score by" in advice(improving)
    assert "Raise n_rounds." in advice(improving)
    improving.stop_reason_ = "time_budget"
    assert "raise time_budget, or pass racing=True" in advice(improving)


def test_unconverged_networks():
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0)
    search = SuccessiveRandomSearchCV(
        network, {"alpha": [0.1, 1.0, 10.0]}, n_iter=3, n_rounds=1, cv=2, refit=False
    )
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("default")
        search.fit(X, Y)
    assert advice(search).startswith("6 of 6 fits stopped at max_iter=2 before they")


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.591834, 0.00543884, "0.5918 ± 0.0054"),
        (0.5, 0.0247, "0.500 ± 0.025"),
        (-45.8321, 3.3, "-45.8 ± 3.3"),
        (1234.4, 210.0, "1234 ± 210"),
        (0.123456, float("nan"), "0.1235"),
        (0.123456, 0.0, "0.1235"),
        (0.98999999999, 7.9e-17, "0.99"),  # an error of rounding
    ],
)
def test_a_number_has_two_digits_of_its_error(value, error, expected):
    assert with_error(value, error) == expected
    assert round_to_error(value, error) == expected.split(" ±")[0]


def test_large_numbers_have_no_exponent():
    values = [1000.0, 31622.8, 0.0316228, 1e-5, 3e9]
    texts = ["1000", "31600", "0.0316", "1e-05", "3e+09"]
    assert list(map(short_number, values)) == texts


def test_durations_have_the_digits_that_matter():
    texts = [duration_text(s) for s in (3e-5, 0.0123, 59.4427, 250, 7500)]
    assert texts == ["under 1 ms", "0.012 s", "59 s", "4 min 10 s", "2 h 5 min"]


def test_a_search_of_one_split_has_no_noise_to_judge():
    split = [(np.arange(30), np.arange(30, 60))]
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=split).fit(X, Y)
    assert "within one standard error" not in advice(search)
