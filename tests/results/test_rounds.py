"""Test the tables rounds_ and windows_."""

from __future__ import annotations

import pytest
from toy_searches import DICTS, Toy, X, Y, fitted

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine._history import Extent, Round, Window
from sklearn_refine.results._names import short_names
from sklearn_refine.results._rounds import NOTE_LENGTH, note_of_round


def window(*stepping, **counts):
    reasons = dict.fromkeys(stepping, "steps below 1, the edge tried, to 0.1")
    shown = dict.fromkeys([*stepping, "other"], Extent(0.1, 1.0))
    return Window(0, {}, shown, 0, reasons, **counts)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([window()], ""),
        ([window("svc__alpha")], "beyond alpha"),
        ([window("a"), window("a", "b")], "beyond a, b"),
        ([window("a", "bcdefgh", "i")], "beyond a, +2"),
        ([window("learning_rate")], "beyond learning…"),
        ([window(n_too_large=3), window(n_too_large=4)], "7 left out"),
        ([window(n_over_budget=5), window(n_over_budget=5)], "5 left out"),
    ],
)
def test_note_fits_and_counts_what_does_not(windows, expected):
    names = short_names({name for window in windows for name in window.shown})
    assert note_of_round(Round(windows, 0, 0, 0.0), names) == expected
    assert len(expected) <= NOTE_LENGTH


def test_a_window_has_a_range_choices_or_both():
    windows = fitted("dicts").windows_
    first = windows[windows["round"] == 1].set_index("parameter")
    assert first.loc["act", ["low", "choices"]].tolist() == [None, ("relu", "tanh")]
    assert first.loc["mix", ["low", "high"]].tolist() == [0.1, 10.0]
    assert first.loc["mix", "choices"] == ("scale",)
    assert first.loc["lr", "choices"] == ()


def test_ends_are_pythons_numbers():
    search = RefiningGridSearchCV(Toy(), {"width": [4, 8], "flag": [True, False]})
    windows = search.fit(X, Y).windows_
    ends = windows.loc[windows["parameter"] == "width", ["low", "high"]]
    assert {type(end) for end in ends.to_numpy().ravel()} == {int}


def test_a_race_is_counted_and_nothing_else_is():
    raced = fitted("racing").rounds_
    endings = raced[["n_complete", "n_dropped"]]
    assert (endings.sum(axis=1) == raced["n_candidates"]).all()
    assert (endings["n_dropped"] > 0).any()
    plain = RefiningGridSearchCV(Toy(), DICTS, n_rounds=1).fit(X, Y).rounds_
    assert plain.columns.tolist() == [
        *("n_candidates", "n_fits", "best_score", "best_so_far", "seconds", "note")
    ]
