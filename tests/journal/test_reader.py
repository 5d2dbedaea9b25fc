"""A search read from its journal: like the fitted one, while it runs, after its end."""

import sqlite3

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV
from sklearn_refine.journal._connection import JournalError
from sklearn_refine.journal._reader import JournalReader, read_only
from sklearn_refine.journal._values import read_params, read_value
from sklearn_refine.results._from_journal import search_from_journal
from sklearn_refine.results._table import read_search

X, Y = load_iris(return_X_y=True)
PIPE = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
DEPTHS = {"decisiontreeclassifier__max_depth": [1, 2, 4]}
GRID = {**DEPTHS, "standardscaler": [StandardScaler(), MinMaxScaler(), None]}


def grid(path, **params):
    params = {"cv": 3, "n_rounds": 2, **params}
    return RefiningGridSearchCV(PIPE, GRID, journal=path, **params)


def network(path):
    model = MLPClassifier((4,), max_iter=27, random_state=0)
    return RefiningGridSearchCV(
        model,
        {"alpha": [1e-4, 1e-2, 1.0, 10.0, 1e3], "learning_rate_init": [1e-6, 0.1]},
        racing="iterations",
        n_rounds=1,
        cv=2,
        journal=path,
    )


def random(path):
    space = {"decisiontreeclassifier__ccp_alpha": loguniform(1e-4, 0.1)}
    return SuccessiveRandomSearchCV(
        PIPE, space, n_iter=12, cv=2, journal=path, random_state=0
    )


SEARCHES = {
    "grid": grid,
    "race": lambda path: grid(path, racing=True),
    "metrics": lambda path: grid(
        path, scoring=["accuracy", "f1_macro"], refit="f1_macro"
    ),
    "train": lambda path: grid(path, return_train_score=True, n_rounds=1),
    "twice": lambda path: RefiningGridSearchCV(
        PIPE, [DEPTHS, DEPTHS], n_rounds=1, cv=2, journal=path
    ),
    "random": random,
    "iterations": network,
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", SEARCHES)
def test_the_journal_tells_what_the_search_found(name, tmp_path):
    search = SEARCHES[name](tmp_path / "search.db").fit(X, Y)
    read = search_from_journal(tmp_path / "search.db")
    assert list(read.cv_results_) == list(search.cv_results_)
    for key, values in search.cv_results_.items():
        if key.startswith("param"):  # objects are read as text
            told = str(list(read.cv_results_[key])).replace("'", "")
            assert told == str(list(values)).replace("'", "")
        else:
            np.testing.assert_array_equal(read.cv_results_[key], values, key)
    pd.testing.assert_frame_equal(read.rounds_, search.rounds_)
    told, known = (each.windows_.astype(str) for each in (read, search))
    pd.testing.assert_frame_equal(
        told.replace("'", "", regex=True), known.replace("'", "", regex=True)
    )
    assert read.best_index_ == search.best_index_
    assert read.best_score_ == search.best_score_
    assert read.best_on_edge_ == search.best_on_edge_
    assert (read.n_splits_, read.n_fits_) == (search.n_splits_, search.n_fits_)
    assert (read.state, read.stop_reason_) == ("finished", search.stop_reason_)
    assert read.plan == search.plan(X, Y)["n_candidates"].tolist()
    assert list(read_search(read).status) == list(read_search(search).status)
    kinds = {p.name: p.kind for p in read_search(read).parameters}
    assert kinds == {p.name: p.kind for p in read_search(search).parameters}


class Interrupt(BaseException):
    """Ends a search at a fit."""


class Stops(DecisionTreeClassifier):
    """A tree whose fits end the search from a certain one on."""

    left = 0

    def fit(self, X, y, sample_weight=None, check_input=True):
        if Stops.left == 0:
            raise Interrupt("no fits left")
        Stops.left -= 1
        return super().fit(X, y, sample_weight, check_input)


def stopped(path, n_fits, **params):
    Stops.left = n_fits
    search = RefiningGridSearchCV(
        Stops(random_state=0),
        {"max_depth": [1, 2, 4]},
        cv=3,
        journal=path,
        share_work=False,
        **params,
    )
    with pytest.raises(Interrupt, match="no fits left"):
        search.fit(X, Y)
    return search


def test_what_is_finished_while_it_runs(tmp_path):
    path = tmp_path / "search.db"
    seen = []

    class Looks(DecisionTreeClassifier):
        def fit(self, X, y, sample_weight=None, check_input=True):
            seen.append(search_from_journal(path))
            return super().fit(X, y, sample_weight, check_input)

    globals()["Looks"] = Looks
    Looks.__qualname__ = "Looks"
    RefiningGridSearchCV(
        Looks(random_state=0),
        {"max_depth": [1, 2, 4]},
        cv=3,
        journal=path,
        n_rounds=1,
        share_work=False,
    ).fit(X, Y)
    first, middle = seen[0], seen[4]
    assert (first.state, first.n_fits_, first.n_waiting) == ("running", 0, 3)
    assert not hasattr(first, "best_index_")
    assert (middle.state, middle.n_fits_) == ("running", 4)
    assert set(read_search(middle).status) <= {"complete", "running"}
    assert middle.unfinished.any()
    assert search_from_journal(path).state == "finished"


def test_a_stopped_search_and_its_resumption(tmp_path):
    path = tmp_path / "search.db"
    search = stopped(path, 4)
    read = search_from_journal(path)
    assert (read.state, read.stop_reason_, read.n_fits_) == ("stopped", None, 4)
    assert read.plan is not None
    assert not read.unfinished.any()
    Stops.left = -1
    search.fit(X, Y)
    read = search_from_journal(path)
    assert read.state == "finished"
    assert read.best_params_ == search.best_params_
    assert len(read.sessions) == 2


def test_the_time_of_a_round_counts_every_session(tmp_path):
    path = tmp_path / "search.db"
    search = stopped(path, 10, n_rounds=2)  # the first round has nine fits
    Stops.left = -1
    search.fit(X, Y)
    first = search.cv_results_["round"] == 1
    took = search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"]
    read = search_from_journal(path)
    assert read.rounds_["seconds"].iloc[0] > 0.9 * 3 * took[first].sum()


def make_version_2(path):
    """Take from a journal what files of version 2 do not have."""
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE notes")
        connection.execute("PRAGMA user_version = 2")
    connection.close()


def test_a_file_of_version_2_is_read_and_continued(tmp_path):
    path = tmp_path / "search.db"
    search = grid(path).fit(X, Y)
    make_version_2(path)
    read = search_from_journal(path)
    assert read.plan is None
    assert read.best_score_ == search.best_score_
    assert sorted(map(str, read.cv_results_["mean_test_score"])) == sorted(
        map(str, search.cv_results_["mean_test_score"])
    )
    assert read.rounds_["n_fits"].tolist() == search.rounds_["n_fits"].tolist()
    again = grid(path).fit(X, Y)
    assert again.best_params_["standardscaler"] is not None
    read = search_from_journal(path)
    assert read.state == "finished"
    assert read.n_fits_ == search.n_fits_  # nothing was fitted again
    assert read.plan == [9, 9]


def test_runs_are_told_apart(tmp_path):
    path = tmp_path / "search.db"
    grid(path, n_rounds=1).fit(X, Y)
    random(path).fit(X, Y)
    assert search_from_journal(path).search_name == "SuccessiveRandomSearchCV"
    assert search_from_journal(path, 1).search_name == "RefiningGridSearchCV"
    with pytest.raises(JournalError, match=r"has no run 7; it has run 1, 2\."):
        search_from_journal(path, 7)
    with pytest.raises(FileNotFoundError, match=r"none\.db.*does not exist; name the"):
        search_from_journal(tmp_path / "none.db")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-0.5", -0.5),
        ("inf", np.inf),
        ("'a, b'", "a, b"),
        ("(16, 64)", (16, 64)),
        ("Ridge(alpha=1)", "Ridge(alpha=1)"),
        ("[Ridge(alpha=1)]", "[Ridge(alpha=1)]"),
        ("module.f@12ab34cd", "module.f@12ab34cd"),
        ("(" * 500, "(" * 500),
        ("__import__('os')", "__import__('os')"),
    ],
)
def test_values_are_read_without_running_them(text, value):
    assert read_value(text) == value


def test_parameters_are_read_one_by_one():
    text = r"{'a': Ridge(x='}, \'b\': 1', y=[1, 2]), 'b\'c': nan, 'd': {'e': (1,)}}"
    params = read_params(text)
    assert list(params) == ["a", "b'c", "d"]
    assert params["a"] == r"Ridge(x='}, \'b\': 1', y=[1, 2])"
    assert np.isnan(params["b'c"])
    assert params["d"] == {"e": (1,)}
    assert read_params("{'a': 1") == read_params("nothing") == {}


@pytest.mark.parametrize("kind", ["search", "round", "results", "end"])
def test_damaged_notes_are_an_error_with_a_remedy(kind, tmp_path):
    path = tmp_path / "search.db"
    random(path).fit(X, Y)
    wrong = {
        "search": '{"n_candidates": 3, "n_splits": []}',
        "round": '{"candidates": 3}',
        "results": '{"iterations": [1]}',
        "end": '{"on_edge": 3}',
    }
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE notes SET text = ? WHERE kind = ?", (wrong[kind], kind)
        )
    connection.close()
    with pytest.raises(JournalError, match=r"is damaged \(its notes.*put back a copy"):
        search_from_journal(path)


def test_a_reader_neither_changes_the_file_nor_holds_up_the_writer(tmp_path):
    path = tmp_path / "search.db"
    random(path).fit(X, Y)
    before = path.read_bytes()
    search_from_journal(path)
    assert path.read_bytes() == before
    reader = JournalReader(path)
    n_before = len(reader.read().fits)
    with read_only(path) as connection:
        connection.execute("SELECT count(*) FROM fits").fetchone()
        SuccessiveRandomSearchCV(
            PIPE,
            {"decisiontreeclassifier__ccp_alpha": loguniform(1e-4, 0.1)},
            n_iter=16,
            cv=2,
            journal=path,
            random_state=0,
        ).fit(X, Y)  # a warning would be an error
    assert len(reader.read().fits) > n_before
