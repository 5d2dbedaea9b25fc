"""search_results and to_optuna: candidates of searches and journals as tables."""

import sys

import numpy as np
import optuna
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_refine import RefiningGridSearchCV, search_results, to_optuna

X, Y = load_iris(return_X_y=True)
PIPE = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
DEPTH = "decisiontreeclassifier__max_depth"
GRID = {DEPTH: [1, 2, 4], "standardscaler": [StandardScaler(), MinMaxScaler(), None]}


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    return tmp_path_factory.mktemp("frame") / "search.db"


@pytest.fixture(scope="module")
def search(journal):
    return RefiningGridSearchCV(
        PIPE,
        GRID,
        n_rounds=1,
        cv=3,
        journal=journal,
        racing=True,
        scoring=["accuracy", "f1_macro"],
        refit="accuracy",
    ).fit(X, Y)


def test_the_best_candidate_comes_first(search):
    table = search_results(search)
    assert table.index[0] == search.best_index_
    assert table["rank"].is_monotonic_increasing
    complete = table[table["status"] == "complete"]
    assert complete["score"].is_monotonic_decreasing
    for row in complete.index:
        splits = [search.cv_results_[f"split{i}_test_accuracy"][row] for i in range(3)]
        assert complete["score"][row] == pytest.approx(np.mean(splits))
        assert complete["se"][row] == pytest.approx(np.std(splits, ddof=1) / 3**0.5)
    others = table[table["status"] != "complete"]
    assert len(others) > 0
    assert set(others["rank"]) == {len(complete) + 1}
    assert list(table.columns)[5:] == ["max_depth", "standardscaler", "mean_f1_macro"]


def test_names_in_full_and_another_metric(search):
    table = search_results(search, metric="f1_macro", full_names=True)
    assert list(table.columns)[5:] == [DEPTH, "standardscaler", "mean_accuracy"]
    assert table[DEPTH].dtype.kind == "i"


def test_a_journal_has_the_same_table(search, journal):
    told, known = search_results(journal), search_results(search)
    assert told.astype(str).equals(known.astype(str))


def test_any_search_and_parameters_that_are_not_set():
    grid = [{"ccp_alpha": [0.0, 0.1]}, {"max_depth": [2, None]}]
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), grid, cv=3).fit(X, Y)
    table = search_results(search).sort_index()
    assert table["ccp_alpha"].isna().tolist() == [False, False, True, True]
    assert table["round"].tolist() == [1] * 4


def test_errors(tmp_path, search):
    with pytest.raises(FileNotFoundError, match=r"no.db.*does not exist; name the"):
        search_results(tmp_path / "no.db")
    with pytest.raises(ValueError, match="run=1 numbers the searches of a journal"):
        search_results(search, run=1)
    with pytest.raises(TypeError, match="search=3 is not a search"):
        search_results(3)
    with pytest.raises(ValueError, match="metric='r2' is not among the metrics"):
        to_optuna(search, metric="r2")


def test_a_study_of_optuna(search, journal):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    from_search, from_journal = to_optuna(search), to_optuna(journal)
    for study in (from_search, from_journal):
        assert study.metric_names == ["accuracy"]
        assert study.best_trial.number == search.best_index_
        assert study.best_value == pytest.approx(search.best_score_)
        assert study.best_params[DEPTH] == search.best_params_[DEPTH]
        states = [trial.state.name for trial in study.trials]
        assert {"COMPLETE", "PRUNED"} == set(states)
        assert len(states) == len(search.cv_results_["params"])
    trial = from_journal.trials[search.best_index_]
    assert trial.datetime_start < trial.datetime_complete
    assert trial.user_attrs["f1_macro"] == pytest.approx(
        search.cv_results_["mean_test_f1_macro"][search.best_index_]
    )
    assert list(trial.intermediate_values) == [0, 1, 2]


def test_optuna_is_asked_for_where_it_is_missing(search, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install sklearn-refine\[optuna\]"):
        to_optuna(search)
