"""The average of the best candidates, of this package's and scikit-learn's searches."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import IsolationForest, VotingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    average_best,
)

X, Y = (part[:150] for part in load_diabetes(return_X_y=True))
IRIS = load_iris(return_X_y=True)
NAMES = np.array(["a", "b", "c"])[IRIS[1]]
ALPHAS = {"alpha": [0.001, 0.01, 0.1, 1.0, 10.0]}
DEPTHS = {"max_depth": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(Ridge(), ALPHAS, cv=3),
        RandomizedSearchCV(Ridge(), ALPHAS, n_iter=5, cv=3),
        RefiningGridSearchCV(Ridge(), ALPHAS, n_rounds=2, cv=3),
        SuccessiveRandomSearchCV(Ridge(), ALPHAS, n_iter=5, n_rounds=1, cv=3),
    ],
    ids=lambda search: type(search).__name__,
)
def test_regressors_are_averaged(search):
    search.fit(X, Y).set_params(n_jobs=2)
    average = average_best(search, 3)
    assert isinstance(average, VotingRegressor)
    assert average.n_jobs == 2
    average.set_params(n_jobs=None)
    results = search.cv_results_
    best = np.argsort(-results["mean_test_score"], kind="stable")[:3]
    assert [name for name, _ in average.estimators] == [f"candidate_{i}" for i in best]
    expected = np.mean(
        [Ridge(**results["params"][i]).fit(X, Y).predict(X) for i in best], axis=0
    )
    assert not hasattr(average, "estimators_")
    np.testing.assert_allclose(average.fit(X, Y).predict(X), expected)


def test_classifiers_average_probabilities_if_all_have_them():
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), DEPTHS, cv=3)
    average = average_best(search.fit(IRIS[0], NAMES), 3)
    assert isinstance(average, VotingClassifier)
    assert average.voting == "soft"
    best = np.argsort(-search.cv_results_["mean_test_score"], kind="stable")[:3]
    expected = np.mean(
        [
            DecisionTreeClassifier(random_state=0, max_depth=i + 1)
            .fit(IRIS[0], NAMES)
            .predict_proba(IRIS[0])
            for i in best
        ],
        axis=0,
    )
    average.fit(IRIS[0], NAMES)
    np.testing.assert_allclose(average.predict_proba(IRIS[0]), expected)


def test_one_classifier_without_probabilities_makes_it_a_vote():
    pipe = Pipeline([("scale", StandardScaler()), ("model", LinearSVC())])
    models = {"model": [LinearSVC(), LogisticRegression()], "model__C": [0.1, 1.0]}
    search = GridSearchCV(pipe, models, cv=3).fit(*IRIS)
    average = average_best(search, 4)
    assert average.voting == "hard"
    assert set(average.fit(*IRIS).predict(IRIS[0])) == {0, 1, 2}
    given = {id(model) for model in models["model"]}
    assert not given & {id(m.named_steps["model"]) for _, m in average.estimators}


def test_equal_candidates_count_once():
    listed = {"alpha": [1.0, 1.0, 10.0, 0.1]}
    search = GridSearchCV(Ridge(), listed, cv=3).fit(X, Y)
    alphas = [model.alpha for _, model in average_best(search, 3).estimators]
    assert sorted(alphas) == [0.1, 1.0, 10.0]
    with pytest.raises(ValueError, match="n_candidates=4, but only 3 different"):
        average_best(search, 4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_candidates_without_a_score_are_left_out():
    depths = {"max_depth": [2, -1, 3, 0, 4]}
    search = GridSearchCV(DecisionTreeRegressor(random_state=0), depths, cv=3)
    search.fit(X, Y)
    found = [model.max_depth for _, model in average_best(search, 3).estimators]
    assert sorted(found) == [2, 3, 4]


def test_one_of_several_metrics_ranks():
    scoring = {"r2": "r2", "worst": "neg_max_error"}
    search = GridSearchCV(Ridge(), ALPHAS, cv=3, scoring=scoring, refit=False)
    search.fit(X, Y)
    for metric in scoring:
        best = search.cv_results_[f"mean_test_{metric}"].argmax()
        name, _ = average_best(search, 2, metric=metric).estimators[0]
        assert name == f"candidate_{best}"
    with pytest.raises(ValueError, match=r"metric=None.*pass metric= one of"):
        average_best(search, 2)


def outliers(estimator, X, y=None):
    return float(estimator.fit(X).score_samples(X).mean())


@pytest.mark.parametrize(
    ("search", "y", "message"),
    [
        (
            GridSearchCV(
                IsolationForest(n_estimators=3, random_state=0),
                {"max_samples": [5, 9]},
                scoring=outliers,
            ),
            None,
            "only the predictions of classifiers or of regressors",
        ),
        (
            GridSearchCV(KMeans(n_init=1), {"n_clusters": [2, 3]}, cv=2),
            None,
            "only the predictions of classifiers or of regressors",
        ),
        (
            GridSearchCV(DecisionTreeRegressor(), {"max_depth": [1, 2]}, cv=2),
            np.c_[Y, Y],
            "predicts several outputs.*search each output",
        ),
        (
            GridSearchCV(
                MultiOutputClassifier(DecisionTreeClassifier()),
                {"estimator__max_depth": [1, 2]},
                cv=2,
            ),
            np.c_[Y > 100, Y > 50].astype(int),
            "predicts several outputs.*search each output",
        ),
    ],
)
def test_models_that_voting_cannot_average(search, y, message):
    search.fit(X, y)
    with pytest.raises(ValueError, match=message):
        average_best(search, 2)


def test_several_outputs_without_refit_are_an_error_in_fit():
    search = GridSearchCV(LinearRegression(), {"positive": [True, False]}, refit=False)
    average = average_best(search.fit(X, np.c_[Y, Y]), 2)
    with pytest.raises(ValueError, match="y should be a 1d array"):
        average.fit(X, np.c_[Y, Y])


@pytest.mark.parametrize("labels", [IRIS[1] + 1, NAMES])
def test_weights_by_label_are_an_error(labels):
    weights = dict.fromkeys(np.unique(labels).tolist(), 2.0)
    tree = DecisionTreeClassifier(random_state=0, class_weight=weights)
    search = GridSearchCV(tree, DEPTHS, cv=3).fit(IRIS[0], labels)
    with pytest.raises(ValueError, match=r"class_weight=.* names labels"):
        average_best(search, 2)


def test_weights_of_labels_that_voting_keeps():
    tree = DecisionTreeClassifier(random_state=0, class_weight={1: 2.0})
    search = GridSearchCV(tree, DEPTHS, cv=3).fit(*IRIS)
    average = average_best(search, 2).fit(*IRIS)
    depth = average.estimators[0][1].max_depth
    alone = tree.set_params(max_depth=depth).fit(*IRIS)
    np.testing.assert_allclose(
        average.estimators_[0].predict_proba(IRIS[0]), alone.predict_proba(IRIS[0])
    )


@pytest.mark.parametrize(
    ("n_candidates", "error", "message"),
    [
        (1, ValueError, "n_candidates=1 leaves nothing to average"),
        (2.0, TypeError, r"n_candidates=2\.0 is not an int"),
        (True, TypeError, "n_candidates=True is not an int"),
        (9, ValueError, "n_candidates=9, but only 5 different"),
    ],
)
def test_numbers_of_candidates(n_candidates, error, message):
    search = GridSearchCV(Ridge(), ALPHAS, cv=3).fit(X, Y)
    with pytest.raises(error, match=message):
        average_best(search, n_candidates)


def test_only_fitted_searches():
    with pytest.raises(NotFittedError, match="Call fit first"):
        average_best(GridSearchCV(Ridge(), ALPHAS))
    with pytest.raises(TypeError, match="not a search"):
        average_best(3)
