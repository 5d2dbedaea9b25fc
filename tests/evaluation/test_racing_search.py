"""Racing saves fits and changes no score."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV
from sklearn_refine._history import Candidate, History, Round
from sklearn_refine.evaluation._racing import Race

X, Y = load_digits(n_class=4, return_X_y=True)
X, Y = X[:200], Y[:200]
NETWORK = make_pipeline(
    StandardScaler(),
    MLPClassifier((6,), max_iter=15, random_state=0),
)
GRID = {
    "mlpclassifier__alpha": [1e-4, 1e-2, 1.0, 100.0],
    "mlpclassifier__learning_rate_init": [1e-4, 1e-3, 1e-2],
}
SPACE = {
    "mlpclassifier__alpha": loguniform(1e-5, 100),
    "mlpclassifier__learning_rate_init": loguniform(1e-4, 1e-1),
}


def fit(kind=RefiningGridSearchCV, estimator=NETWORK, space=GRID, **params):
    params = {"racing": True, "cv": 5, **params}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        return kind(estimator, space, **params).fit(X, Y)


@pytest.mark.parametrize("kind", [RefiningGridSearchCV, SuccessiveRandomSearchCV])
def test_racing_saves_fits_and_changes_no_score(kind):
    params = {} if kind is RefiningGridSearchCV else {"n_iter": 24, "random_state": 0}
    space = GRID if kind is RefiningGridSearchCV else SPACE
    raced = fit(kind, space=space, n_rounds=1, **params)
    full = fit(kind, space=space, n_rounds=1, racing=False, **params)
    results = raced.cv_results_
    run = results["n_splits_evaluated"]
    assert raced.n_fits_ == run.sum() < full.n_fits_
    complete = run == 5
    assert 1 <= complete.sum() < len(run)
    for i in range(5):
        scores = results[f"split{i}_test_score"]
        np.testing.assert_array_equal(np.isnan(scores), run <= i)
        expected = full.cv_results_[f"split{i}_test_score"]
        np.testing.assert_array_equal(scores[run > i], expected[run > i])
    np.testing.assert_array_equal(np.isnan(results["mean_test_score"]), ~complete)
    assert results["rank_test_score"][complete].max() < min(
        results["rank_test_score"][~complete]
    )
    assert np.isfinite(results["mean_fit_time"]).all()
    assert complete[raced.best_index_]
    assert raced.rounds_["n_fits"].sum() == raced.n_fits_
    assert "n_splits_evaluated" not in full.cv_results_


def test_never_more_fits_than_planned():
    search = RefiningGridSearchCV(NETWORK, GRID, racing=True, cv=5)
    plan = search.plan(X, Y)
    raced = fit()
    assert (raced.rounds_["n_fits"] <= plan["n_fits"]).all()
    assert (raced.rounds_["n_fits"] < plan["n_fits"]).any()


def test_missing_scores_cause_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        RefiningGridSearchCV(NETWORK, GRID, racing=True, n_rounds=2).fit(X, Y)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "share_work", [pytest.param(True, marks=pytest.mark.slow), False]
)
def test_same_results_for_any_number_of_jobs(n_jobs, share_work):
    params = {"n_iter": 16, "n_rounds": 2, "random_state": 0, "cv": 3}
    expected = fit(SuccessiveRandomSearchCV, space=SPACE, **params).cv_results_
    params.update(n_jobs=n_jobs, share_work=share_work)
    found = fit(SuccessiveRandomSearchCV, space=SPACE, **params).cv_results_
    for name in expected:
        if name != "params" and "param_" not in name and "_time" not in name:
            np.testing.assert_array_equal(found[name], expected[name])


def test_later_rounds_race_against_earlier_ones():
    search = fit(n_rounds=3)
    results = search.cv_results_
    later = results["round"] > 1
    dropped_at_once = (results["n_splits_evaluated"] == 1) & later
    assert dropped_at_once.any()
    assert results["n_splits_evaluated"][search.best_index_] == 5


@pytest.mark.parametrize(
    "scoring",
    [
        ["neg_log_loss", "accuracy"],
        lambda estimator, X, y: {
            "accuracy": np.mean(estimator.predict(X) == y),
            "constant": 1.0,
        },
    ],
)
def test_races_on_the_metric_of_refit(scoring):
    several = fit(
        scoring=scoring, refit="accuracy", n_rounds=1, return_train_score=True
    )
    one = fit(scoring="accuracy", n_rounds=1)
    np.testing.assert_array_equal(
        several.cv_results_["n_splits_evaluated"], one.cv_results_["n_splits_evaluated"]
    )
    assert several.best_params_ == one.best_params_
    dropped = several.cv_results_["n_splits_evaluated"] < 5
    assert np.isnan(several.cv_results_["mean_train_accuracy"][dropped]).all()


def test_a_callable_refit_gets_complete_candidates_only():
    seen = []

    def best(results):
        seen.append(results)
        return int(np.argmax(results["mean_test_score"]))

    search = fit(refit=best, n_rounds=1)
    assert np.isnan(search.cv_results_["mean_test_score"]).any()
    assert not np.isnan(seen[0]["mean_test_score"]).any()
    assert search.best_index_ == np.nanargmax(search.cv_results_["mean_test_score"])


class Fails(ClassifierMixin, BaseEstimator):
    """Guesses well for a good number, and fails for a negative one."""

    def __init__(self, a=0.0):
        self.a = a

    def fit(self, X, y):
        if self.a < 0:
            raise RuntimeError("negative")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y, sample_weight=None):
        return -((self.a - 3.0) ** 2)


def test_candidates_that_fail_are_dropped_and_reported():
    grid = {"a": [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]}
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of"):
        search = RefiningGridSearchCV(
            Fails(), grid, racing=True, cv=4, n_rounds=1, scales={"a": "choice"}
        ).fit(X, Y)
    assert search.cv_results_["n_splits_evaluated"].tolist()[:2] == [1, 1]
    assert search.best_params_ == {"a": 3.0}


def two_numbers(estimator, X, y):
    return {"a": estimator.score(X, y), "b": 0.0}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_a_failed_round_has_the_metrics_of_a_callable_scorer():
    class FailsLater(Fails):
        def fit(self, X, y):
            if self.a not in (1.0, 2.0, 4.0, 5.0):
                raise ValueError("as told")
            return super().fit(X, y)

    search = RefiningGridSearchCV(
        FailsLater(),
        {"a": [1.0, 2.0, 4.0, 5.0]},
        scoring=two_numbers,
        refit="a",
        racing=True,
        error_score=-100.0,
        n_rounds=2,
    )
    results = search.fit(X, Y).cv_results_
    # Splits that were not run are NaN; the fits on the first split failed.
    assert (results["split0_test_a"][results["round"] == 2] == -100).all()
    assert search.best_params_["a"] in (2.0, 4.0)


class FailsOnFew(ClassifierMixin, BaseEstimator):
    """Scores `a`, and fails on few rows if that is large."""

    def __init__(self, a=1.0):
        self.a = a

    def fit(self, X, y):
        if self.a > 14 and len(X) < 100:
            raise RuntimeError("too few rows")
        return self

    def score(self, X, y):
        return self.a


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_waiting_candidates_continue_if_all_others_fail(n_jobs):
    many, few, test = np.arange(150), np.arange(50), np.arange(150, 200)
    found = {}
    for racing in (False, True):
        with pytest.warns(FitFailedWarning, match="fits failed out of a total of"):
            found[racing] = RefiningGridSearchCV(
                FailsOnFew(),
                {"a": [float(a) for a in range(1, 21)]},
                cv=[(many, test)] * 4 + [(few, test)],
                racing=racing,
                n_rounds=1,
                n_jobs=n_jobs,
            ).fit(X, Y)
    assert found[True].best_params_ == found[False].best_params_ == {"a": 14.0}
    assert found[True].n_fits_ < 100


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_an_infinite_score_wins():
    search = RefiningGridSearchCV(
        Fails(),
        {"a": [float(a) for a in range(20)]},
        scoring=lambda estimator, X, y: (
            1.0 / max(abs(estimator.a - 5.0) - 1.0, 0.0)
            if abs(estimator.a - 5.0) > 1
            else np.inf
        ),
        racing=True,
        n_rounds=1,
    ).fit(X, Y)
    assert search.best_score_ == np.inf
    assert search.best_params_ == {"a": 4.0}
    complete = search.cv_results_["n_splits_evaluated"] == 5
    ranks = search.cv_results_["rank_test_score"]
    assert ranks[complete].max() < ranks[~complete].min()


def test_a_repeated_candidate_counts_once():
    history = History(n_splits=2)
    candidates = [Candidate({"a": a}) for a in (1.0, 2.0, 2.0)]
    outcomes = [
        [{"test_scores": score, "fit_error": None, "fit_time": 0.0}] * 2
        for score in (0.1, 0.2, 0.2)
    ]
    history.add_round(candidates, outcomes, Round([], 3, 4, 0.0))
    race = Race.against(history, lambda outcome: outcome["test_scores"])
    assert sorted(race.complete.tolist()) == [[0.1, 0.1], [0.2, 0.2]]


def test_an_interrupted_race_keeps_all_fits():
    done = []

    class Interrupted(Fails):
        def fit(self, X, y):
            if len(done) == 30:
                raise KeyboardInterrupt("enough")
            done.append(self.a)
            return super().fit(X, y)

    grid = {"a": [float(a) for a in range(20)]}
    search = RefiningGridSearchCV(Interrupted(), grid, racing=True, n_rounds=1)
    with pytest.raises(KeyboardInterrupt, match="enough"):
        search.fit(X, Y)
    n_run = search.cv_results_["n_splits_evaluated"]
    assert n_run.sum() == search.n_fits_ == 30
    assert n_run[3] == n_run.max() > 1


def test_an_error_is_raised_if_all_candidates_fail():
    search = RefiningGridSearchCV(Fails(), {"a": [-2.0, -1.0]}, racing=True)
    with pytest.raises(ValueError, match="All the 10 fits failed"):
        search.fit(X, Y)


def test_equal_candidates_all_continue():
    grid = {"max_iter": [5, 6, 7, 8]}
    always = lambda *_: 0.5  # noqa: E731
    search = fit(
        estimator=LogisticRegression(tol=10.0), space=grid, scoring=always, n_rounds=1
    )
    assert (search.cv_results_["n_splits_evaluated"] == 5).all()


@pytest.mark.parametrize("n_splits", [2, 3])
def test_few_splits(n_splits):
    search = fit(cv=StratifiedKFold(n_splits), n_rounds=2)
    assert search.cv_results_["n_splits_evaluated"].max() == n_splits


def test_one_split():
    search = fit(cv=[(np.arange(150), np.arange(150, 200))], n_rounds=2)
    assert (search.cv_results_["n_splits_evaluated"] == 1).all()


def test_verbose_reports_the_largest_number_of_fits(capsys):
    fit(verbose=1, n_rounds=1)
    assert "Fitting at most 5 folds for each of 12" in capsys.readouterr().out
