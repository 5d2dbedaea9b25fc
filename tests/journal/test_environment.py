"""The environment as part of a run: scikit-learn's version and its settings."""

import json
import sqlite3
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn import config_context
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV, read_journal
from sklearn_refine.journal._environment import (
    UNRELATED_SETTINGS,
    describe_change,
    describe_environment,
)

X = np.random.RandomState(0).normal(size=(40, 2))
Y = X @ [1.0, 2.0]

#: For each setting of scikit-learn, a value that is not the default. Does a setting
#: that is new here change a score, or what a fit or a metric sees? If it surely does
#: not, it belongs to UNRELATED_SETTINGS, too.
OTHER_VALUES = {
    "array_api_dispatch": True,
    "assume_finite": True,
    "display": "text",
    "enable_cython_pairwise_dist": False,
    "enable_metadata_routing": True,
    "pairwise_dist_chunk_size": 64,
    "print_changed_only": False,
    "skip_parameter_validation": True,
    "sparse_interface": "sparray",
    "transform_output": "pandas",
    "working_memory": 1,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search.db"


def run(path):
    """Return whether a search runs its fits, and its warnings."""
    before = len(read_rows(path)) if path.exists() else 0
    search = RefiningGridSearchCV(
        Ridge(), {"alpha": [0.1, 1.0]}, n_rounds=1, cv=2, journal=path
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, Y)
    n_run = len(read_rows(path)) - before
    assert n_run in (0, search.n_fits_)
    return n_run > 0, [str(warning.message) for warning in caught]


def read_rows(path):
    return execute(path, "SELECT id FROM fits")


def execute(path, statement):
    connection = sqlite3.connect(path)
    with connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def set_config(monkeypatch, **changes):
    config = {**sklearn.get_config(), **changes}
    monkeypatch.setattr(sklearn, "get_config", lambda: dict(config))


@pytest.mark.parametrize("name", sorted(sklearn.get_config()))
def test_every_setting_is_part_of_a_run_or_unrelated(name, path, monkeypatch):
    assert name in OTHER_VALUES, f"decide whether {name} changes a score"
    before, now = sklearn.get_config()[name], OTHER_VALUES[name]
    assert before != now
    assert run(path) == (True, [])
    set_config(monkeypatch, **{name: now})
    has_run, messages = run(path)
    if name in UNRELATED_SETTINGS:
        assert (has_run, messages) == (False, [])
        return
    assert has_run
    (message,) = messages
    assert f"{str(path)!r} has fits of this search that are not used" in message
    assert f"run with {name}={before!r} (now {now!r}). All fits are" in message
    # Both runs are complete now. Each is used where it belongs, without a warning.
    assert run(path) == (False, [])
    monkeypatch.undo()
    assert run(path) == (False, [])
    assert read_journal(path)["run"].nunique() == 2


def test_unrelated_settings_are_settings():
    assert set(UNRELATED_SETTINGS) < set(sklearn.get_config())


def test_the_minor_version_of_scikit_learn_is_part_of_a_run(path, monkeypatch):
    assert run(path) == (True, [])
    now = ".".join(sklearn.__version__.split(".")[:2])
    monkeypatch.setattr(sklearn, "__version__", f"{now}.99")
    assert run(path) == (False, [])
    monkeypatch.setattr(sklearn, "__version__", "1.99.1")
    has_run, (message,) = run(path)
    assert has_run
    assert f"run with scikit-learn={now!r} (now '1.99'). All" in message


def test_all_that_differs_is_named(path, monkeypatch):
    run(path)
    monkeypatch.setattr(sklearn, "__version__", "1.99.1")
    set_config(monkeypatch, assume_finite=True, working_memory=2, added_by_it=1)
    _, (message,) = run(path)
    names = ("assume_finite=False (now True)", "working_memory=1024 (now 2)")
    assert all(name in message for name in (*names, "scikit-learn="))
    assert "added_by_it" not in message


def test_a_run_without_fits_gives_no_warning(path, monkeypatch):
    run(path)
    execute(path, "DELETE FROM fits")
    set_config(monkeypatch, assume_finite=True)
    assert run(path) == (True, [])


def test_another_search_gives_no_warning(path, monkeypatch):
    run(path)
    execute(path, "UPDATE runs SET fingerprint = 'f' || substr(fingerprint, 2)")
    set_config(monkeypatch, assume_finite=True)
    execute(path, "UPDATE runs SET fingerprint = 'e' || substr(fingerprint, 2)")
    assert run(path) == (True, [])


@pytest.mark.parametrize(
    ("environment", "what"),
    [
        ("", "a version and settings that are not recorded"),
        (" ", "a version and settings that are not recorded"),
        (" []", "a version and settings that are not recorded"),
        (" {}", "other settings"),
        (' {"assume_finite": "\\u001b"}', r"assume_finite='\x1b' (now False)"),
        (" " + "[" * 100_000, "a version and settings that are not recorded"),
    ],
    ids=range(6),
)
def test_the_environment_in_a_file_may_be_any_text(environment, what, path):
    run(path)
    content = "substr(fingerprint, 1, 32)"
    execute(path, f"UPDATE runs SET fingerprint = {content} || '{environment}'")
    has_run, (message,) = run(path)
    assert has_run
    assert f"they were run with {what}. All fits" in message
    assert len(read_journal(path)) == 8


def test_values_are_compared_with_their_types():
    environment = describe_environment()
    one = json.dumps({**json.loads(environment), "assume_finite": 0})
    assert describe_change(one, environment) == "assume_finite=0 (now False)"


def test_failures_of_one_configuration_are_not_used_in_another(path):
    rng = np.random.RandomState(0)
    frame = pd.DataFrame({"age": rng.randn(90), "bmi": rng.randn(90)})
    scale = ColumnTransformer([("scale", StandardScaler(), ["age"])])
    pipe = Pipeline(
        [
            ("impute", SimpleImputer()),
            ("columns", scale),
            ("model", LogisticRegression()),
        ]
    )
    grid = {"model__C": [0.1, 1.0, 10.0]}
    search = RefiningGridSearchCV(pipe, grid, cv=3, journal=path)
    y = frame["age"] > 0
    with pytest.raises(ValueError, match="All the 9 fits failed"):
        search.fit(frame, y)  # the imputer returns no column names
    message = r"run with transform_output='default' \(now 'pandas'\)"
    with (
        config_context(transform_output="pandas"),
        pytest.warns(UserWarning, match=message),
    ):
        search.fit(frame, y)
    assert search.best_score_ > 0.9
