"""Test the displays: their tables, and what matplotlib draws."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from toy_searches import DICTS, EIGHT, TWO, UNFITTED, Toy, X, Y, fitted

from sklearn_refine import (
    ParallelCoordinateDisplay,
    ParameterImportanceDisplay,
    RefiningGridSearchCV,
    SearchHistoryDisplay,
    SearchLandscapeDisplay,
    SearchSliceDisplay,
    SuccessiveRandomSearchCV,
    search_report,
)
from sklearn_refine.plotting._scores import score_limits

mpl.use("Agg")
import matplotlib.pyplot as plt

DISPLAYS = [
    ParallelCoordinateDisplay,
    ParameterImportanceDisplay,
    SearchHistoryDisplay,
    SearchLandscapeDisplay,
    SearchSliceDisplay,
]
TWO_OR_MORE = [name for name in UNFITTED if name != "one"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def read(display, search, params=None, **options):
    """Return a display of a search, without drawing it."""
    return display.from_search(search, params, draw=False, **options)


@cache
def read_display(display, name):
    """Return a display of a search, cached for all tests."""
    return read(display, fitted(name))


def legend_texts(ax):
    return [label.get_text() for label in ax.get_legend().get_texts()]


@pytest.mark.slow
@pytest.mark.parametrize("name", UNFITTED)
@pytest.mark.parametrize("display", DISPLAYS)
def test_every_display_draws_every_search(display, name):
    if display is SearchLandscapeDisplay and name == "one":
        with pytest.raises(ValueError, match=r"varies \['alpha'\].*SearchSliceDisplay"):
            read(display, fitted(name))
        return
    made = read_display(display, name)
    before = made.frame()
    assert made.plot() is made
    if name in ("dicts", "eight", "racing"):
        made.figure_.canvas.draw()
    assert made.figure_ is np.ravel(made.ax_)[0].figure
    pd.testing.assert_frame_equal(made.frame(), before)


def test_frames_are_copies():
    for display in DISPLAYS:
        made = read_display(display, "grid")
        frame = made.frame()
        frame["new"] = 1
        assert "new" not in made.frame()


@pytest.mark.parametrize("name", UNFITTED)
def test_history(name):
    search = fitted(name)
    frame = read_display(SearchHistoryDisplay, name).frame()
    assert frame.columns.tolist() == [
        "round",
        "status",
        "score",
        "best_so_far",
        "fits",
        "seconds",
    ]
    assert len(frame) == len(search.cv_results_["params"])
    metric = "own" if name == "multimetric" else "score"
    best = search.cv_results_[f"mean_test_{metric}"][search.best_index_]
    assert frame["best_so_far"].iloc[-1] == best
    assert (np.diff(frame["seconds"]) >= 0).all()
    if hasattr(search, "rounds_"):
        per_round = frame.groupby("round")["best_so_far"].last().to_numpy()
        np.testing.assert_array_equal(per_round, search.rounds_["best_so_far"])


def test_history_labels_dropped_failed_and_worse_candidates():
    display = read(SearchHistoryDisplay, fitted("racing")).plot()
    labels = {"candidate", "dropped", "failed", "best so far", "best 0.7952"}
    assert labels <= set(legend_texts(display.ax_))
    scores = [0.5, 0.6, 0.7, 0.65, -1e6]
    search = search_with_scores(scores)
    display = read(SearchHistoryDisplay, search).plot(x="seconds")
    assert "below 0.50" in legend_texts(display.ax_)
    assert display.ax_.get_ylim()[0] > 0.3
    assert display.ax_.get_xlabel() == "seconds of fits"


def search_with_scores(scores):
    """Return an object with ``cv_results_`` of these scores."""
    search = type("Search", (), {})()
    search.cv_results_ = {
        "params": [{"a": a, "b": str(a)} for a in range(len(scores))],
        "mean_test_score": np.array(scores),
        "split0_test_score": np.array(scores),
        "mean_fit_time": np.ones(len(scores)),
        "mean_score_time": np.zeros(len(scores)),
    }
    return search


@pytest.mark.parametrize("scores", [[0.5] * 4, [np.nan] * 4, [0.5, np.nan, np.nan]])
def test_equal_and_missing_scores_are_drawn(scores):
    search = search_with_scores(scores)
    for display in DISPLAYS:
        if display is ParameterImportanceDisplay and scores != [0.5] * 4:
            continue
        read(display, search).plot().figure_.canvas.draw()
    assert read(SearchLandscapeDisplay, search).surface is None


@pytest.mark.parametrize("n", [1, 2, pytest.param(3000, marks=pytest.mark.slow)])
def test_few_and_many_candidates_are_drawn(n):
    rng = np.random.RandomState(0)
    search = search_with_scores(rng.normal(size=n))
    read(SearchHistoryDisplay, search).plot()
    read(SearchSliceDisplay, search).plot()
    read(ParallelCoordinateDisplay, search).plot()
    assert len(read(ParallelCoordinateDisplay, search).frame()) == n


@pytest.mark.parametrize("n", [2, 3, 4, 7, 8])
def test_at_most_a_quarter_of_the_scores_is_left_out(n):
    scores = np.array([1.0 - 1e-3 * place for place in range(n)])
    scores[: n // 2] = -1e6 * np.arange(1, n // 2 + 1)
    low, high = score_limits(scores)
    assert (scores < low).sum() <= n / 4
    assert high == scores.max()
    scores[: n // 2] = 0.5
    scores[: n // 4] = -1e6
    assert score_limits(scores)[0] == (0.5 if n > 1 else 1.0)


@pytest.mark.parametrize(
    "kind", [SearchHistoryDisplay, SearchSliceDisplay, SearchLandscapeDisplay]
)
def test_paused_candidates_are_labelled(kind):
    search = search_with_scores([0.5, 0.6, 0.7, np.nan, np.nan])
    search.cv_results_["partial_test_score"] = np.array([0.5, 0.5, 0.5, 0.4, 0.5])
    search.cv_results_["n_splits_evaluated"] = np.array([2, 2, 2, 0, 0])
    display = read(kind, search).plot()
    labels = {mark.get_label() for mark in drawn_points(display)}
    assert "paused" in labels
    assert "failed" not in labels


def test_dropped_candidates_with_very_bad_scores_are_drawn():
    search = search_with_scores([0.5, 0.51, 0.52, 0.53, 0.54, np.nan])
    search.cv_results_["split0_test_score"][-1] = -1e6
    search.cv_results_["split1_test_score"] = search.cv_results_["mean_test_score"]
    search.cv_results_["n_splits_evaluated"] = np.array([2, 2, 2, 2, 2, 1])
    display = read(SearchHistoryDisplay, search)
    assert display.frame()["status"].iloc[-1] == "dropped"
    assert display.frame()["score"].iloc[-1] == -1e6
    drawn = count_points(display.plot().ax_)
    assert drawn == {"candidate": 5, "below 0.50": 1, "best 0.54": 1}
    display = read(SearchSliceDisplay, search).plot()
    assert count_points(display.ax_[0]) == {"candidate": 5, "below 0.50": 1, "best": 1}


def count_points(ax):
    """Return the number of drawn points by label."""
    return {
        marks.get_label(): len(marks.get_offsets())
        for marks in ax.collections
        if not marks.get_label().startswith("_") and len(marks.get_offsets())
    }


def test_slices_draw_failed_candidates():
    display = read(SearchSliceDisplay, fitted("failing"))
    frame = display.frame()
    failed = frame[(frame["parameter"] == "lr") & (frame["status"] == "failed")]
    assert failed["value"].tolist() == [1.0, 1.0]
    assert failed["score"].isna().all()
    display.plot()
    assert count_points(display.ax_[0])["failed"] == 2
    (legend,) = display.figure_.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["candidate", "failed", "expected, others at best", "best"]


@pytest.mark.slow
def test_legend_markers_of_many_candidates_are_large():
    search = search_with_scores(np.random.RandomState(0).normal(size=3000))
    search.cv_results_["round"] = np.repeat([1, 2], 1500)
    display = read(SearchSliceDisplay, search).plot()
    sizes = {
        handle.get_label(): handle.get_sizes().tolist()
        for handle in display.figure_.legends[0].legend_handles
        if hasattr(handle, "get_sizes")
    }
    assert sizes == {"candidate": [36.0], "best": [100.0]}


@pytest.mark.parametrize("values", [[0.1, 0.11, 0.121], [1, 2, 4, 8], [0.3, 1.0, 3.0]])
def test_a_short_logarithmic_axis_has_few_plain_ticks(values):
    search = GridSearchCV(Toy(), {"alpha": values}).fit(X, Y)
    display = read(SearchSliceDisplay, search).plot()
    display.figure_.canvas.draw()
    ax = display.ax_[0]
    assert ax.get_xscale() == "log"
    low, high = ax.get_xlim()
    shown = [
        label.get_text()
        for label in [*ax.get_xticklabels(), *ax.get_xticklabels(minor=True)]
        if label.get_text() and low <= label.get_position()[0] <= high
    ]
    assert 2 <= len(shown) <= 6
    assert all(float(text) > 0 for text in shown)


def shown_ticks(axis):
    """Return the tick labels inside the limits of an axis, as texts."""
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    return [label for place, label in ticks if low <= place <= high]


@pytest.mark.slow
def test_the_legend_of_slices_fits_into_the_figure():
    space = {"alpha": loguniform(1e-4, 1), "lr": loguniform(1e-4, 0.4)}
    search = SuccessiveRandomSearchCV(Toy(), space, n_iter=30, random_state=0)
    display = read(SearchSliceDisplay, search.fit(X, Y)).plot()
    display.figure_.canvas.draw()
    (legend,) = display.figure_.legends
    assert len(legend.get_texts()) >= 3
    for dpi in (100, 70, 50):
        display.figure_.set_dpi(dpi)
        display.figure_.canvas.draw()
        box = legend.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= display.figure_.bbox.width
        assert box.y0 >= max(ax.get_window_extent().y1 for ax in display.ax_) - 1


@pytest.mark.parametrize(
    "ends", [(1e-4, 1.01e-4), (1e-4, 1.0089e-4), (0, 1), (-2e5, 3.3e5), (0.71, 0.711)]
)
def test_ticks_of_numbers_do_not_overlap(ends):
    search = search_with_scores(np.linspace(0, 1, 9))
    values = np.linspace(*ends, 9).tolist()
    search.cv_results_["params"] = [{"a": v, "b": v, "c": v} for v in values]
    display = read(SearchSliceDisplay, search).plot()
    display.figure_.canvas.draw()
    for ax in display.ax_:
        boxes = [label.get_window_extent() for label in shown_ticks(ax.xaxis)]
        assert len(boxes) >= 2
        for left, right in pairwise(boxes):
            assert left.x1 < right.x0


@pytest.mark.parametrize(
    "values", [[1, 2, 3], [7, 8, 9, 10], [2, 4, 7], [4, 8, 9], [1, 2, 4, 8, 9]]
)
def test_ticks_of_ints_are_ints(values):
    search = GridSearchCV(Toy(), {"width": values, "alpha": [1e-3, 1e-2, 1e-1]})
    search.fit(X, Y)
    slices = read(SearchSliceDisplay, search, ["width"]).plot().ax_[0].xaxis
    names = ["width", "alpha"]
    landscape = read(SearchLandscapeDisplay, search, names).plot().ax_.xaxis
    for axis in (slices, landscape):
        texts = [label.get_text() for label in shown_ticks(axis)]
        assert len(texts) >= 2
        assert {int(text) for text in texts} <= set(range(11))


@pytest.mark.parametrize("values", [range(3, 9), [203, 300, 500, 700, 900, 1206]])
def test_parallel_ticks_of_many_ints_are_ints(values):
    search = search_with_scores(np.linspace(0, 1, 6))
    search.cv_results_["params"] = [{"a": value} for value in values]
    display = read(ParallelCoordinateDisplay, search).plot()
    texts = [text.get_text() for text in display.ax_.texts if text.xy[0] == 0]
    assert len(texts) == 5
    assert all(text.isdigit() for text in texts)
    assert (texts[0], texts[-1]) == (str(values[0]), str(values[-1]))


@pytest.mark.parametrize("n", [1, 2])
def test_candidates_are_counted_in_ints(n):
    display = read(SearchHistoryDisplay, search_with_scores([0.5] * n)).plot()
    texts = [label.get_text() for label in shown_ticks(display.ax_.xaxis)]
    assert texts == [str(number + 1) for number in range(n)]


@pytest.mark.parametrize("name", UNFITTED)
def test_slices(name):
    search = fitted(name)
    frame = read_display(SearchSliceDisplay, name).frame()
    params = search.cv_results_["params"]
    for row in frame.itertuples():
        value = params[row.candidate][row.parameter]
        assert row.value is value or row.value == value
    n_set = {p: sum(p in c for c in params) for p in frame["parameter"].unique()}
    assert frame["parameter"].value_counts().to_dict() == n_set


def test_slices_of_chosen_parameters_on_given_axes():
    grid = {"layers": [(8,), (32, 16)], "alpha": [1e-4, 1e-2]}
    search = GridSearchCV(Toy(), grid).fit(X, Y)
    display = read(SearchSliceDisplay, search, ["layers", "alpha"])
    assert display.frame()["parameter"].unique().tolist() == ["layers", "alpha"]
    _, axes = plt.subplots(1, 2)
    display.plot(axes)
    assert [*display.ax_] == [*axes]
    assert axes[1].get_xscale() == "log"
    labels = [label.get_text() for label in axes[0].get_xticklabels()]
    assert all(label.startswith("(") for label in labels)
    with pytest.raises(ValueError, match=r"ax has 1 axes.* has 2 panels"):
        display.plot(axes[0])


def test_choices_are_ticks():
    display = read(SearchSliceDisplay, fitted("eight"), ["scaler", "flag"]).plot()
    for ax, expected in zip(
        display.ax_,
        [{"None", "StandardScaler", "MinMaxScaler"}, {"True", "False"}],
        strict=True,
    ):
        labels = {label.get_text() for label in ax.get_xticklabels()}
        assert labels == expected


@pytest.mark.parametrize("name", UNFITTED)
def test_importances(name):
    display = read_display(ParameterImportanceDisplay, name)
    frame = display.frame()
    assert (np.diff(frame["total"]) <= 0).all()
    assert (frame["std"] >= 0).all()
    assert display.explained <= 1


def test_importances_are_reproducible():
    first, again, other = (
        read(ParameterImportanceDisplay, fitted("eight"), random_state=seed)
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first.frame(), again.frame())
    assert not first.frame().equals(other.frame())


def test_equal_scores_explain_nothing():
    display = read(ParameterImportanceDisplay, search_with_scores([0.5] * 6))
    assert display.explained == 0.0
    assert (display.frame()[["importance", "std"]] == 0).all(axis=None)


#: Means of the same three scores in two orders; they differ by rounding.
EQUAL = np.mean([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]], axis=1)


def test_scores_that_differ_by_rounding_are_equal():
    assert EQUAL[0] != EQUAL[1]
    few = np.r_[np.tile(EQUAL, 4), 0.05, 0.3]
    display = read(SearchLandscapeDisplay, search_with_scores(few)).plot()
    display.figure_.canvas.draw()
    marks = [c for c in display.ax_.collections if c.get_label() == "candidate"]
    assert len(np.unique(marks[0].get_facecolor()[:-2], axis=0)) == 1
    labels = [text.get_text() for text in display.figure_.axes[1].get_yticklabels()]
    assert len(set(labels)) == len(labels)
    lines = read(ParallelCoordinateDisplay, search_with_scores(few)).plot()
    assert len(np.unique(lines.ax_.collections[0].get_colors(), axis=0)) == 3


def test_scores_that_all_differ_by_rounding_are_drawn_as_equal():
    search = search_with_scores(np.tile(EQUAL, 4))
    for display in DISPLAYS:
        read(display, search).plot().figure_.canvas.draw()
    assert read(ParameterImportanceDisplay, search).explained == 0
    assert read(SearchLandscapeDisplay, search).surface is None
    low, high = score_limits(np.tile(EQUAL, 4))
    assert high - low > 0.003


def test_equal_scores_have_one_color():
    display = read(ParallelCoordinateDisplay, search_with_scores([0.5, 0.7, 0.5, 0.6]))
    colors = display.plot().ax_.collections[0].get_colors()
    assert len(np.unique(colors, axis=0)) == 3
    np.testing.assert_array_equal(colors[0], colors[1])  # lines are sorted by score


def test_the_parameter_that_matters_is_important():
    grid = {"act": ["relu", "identity"], "width": [8, 16, 32], "alpha": [1e-3, 2e-3]}
    search = GridSearchCV(Toy(), grid).fit(np.ones((20, 1)), np.arange(20.0))
    display = read(ParameterImportanceDisplay, search)
    importance = display.frame().set_index("parameter")["importance"]
    assert importance.idxmax() == "act"
    assert importance["width"] < 0.1 * importance["act"]
    assert display.explained > 0.5
    assert 0.95 < importance["act"] <= 1


def make_halving_search(*sizes):
    """Return a halving search whose scores depend only on the resources."""
    numbers = np.repeat(range(len(sizes)), sizes)
    noise = 0.1 * np.random.RandomState(0).normal(size=len(numbers))
    search = search_with_scores(numbers + noise)
    places = [place for size in sizes for place in range(size)]
    search.cv_results_["params"] = [{"a": p % 7, "b": p // 7} for p in places]
    search.cv_results_ |= {"iter": numbers, "n_resources": 10 * 3**numbers}
    return search


def test_effect_of_resources_is_not_attributed_to_parameters():
    display = read(ParameterImportanceDisplay, make_halving_search(63, 14, 7, 2))
    assert display.explained < 0.2
    assert "Not enough evidence" in display.plot().ax_.get_title()


@pytest.mark.parametrize(
    ("sizes", "number"), [((63, 21, 7), 1), ((15, 5, 2), 0), ((60,), 0)]
)
def test_importances_use_one_halving_iteration(sizes, number):
    search, other = make_halving_search(*sizes), make_halving_search(*sizes)
    used = search.cv_results_["iter"] == number
    for name in ("mean_test_score", "split0_test_score"):
        other.cv_results_[name] = np.where(used, search.cv_results_[name], 0.0)
    frames = [read(ParameterImportanceDisplay, s).frame() for s in (search, other)]
    pd.testing.assert_frame_equal(*frames)
    other.cv_results_["mean_test_score"][used] = 0.0
    assert (read(ParameterImportanceDisplay, other).frame()["total"] == 0).all()


def test_report_of_a_tiny_halving_search_has_no_importances(tmp_path):
    search = make_halving_search(2, 1)
    with pytest.raises(ValueError, match="in a halving search, in one iteration"):
        read(ParameterImportanceDisplay, search)
    page = search_report(search, tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 2


def test_noise_is_not_explained():
    search = search_with_scores(np.random.RandomState(0).normal(size=200))
    for place, params in enumerate(search.cv_results_["params"]):
        params["b"] = place * 7919 % 200
    display = read(ParameterImportanceDisplay, search)
    assert -1 < display.explained < 0.1
    display.plot()
    assert "Not enough evidence" in display.ax_.get_title()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["a", "b"]  # by name


@pytest.mark.parametrize("name", UNFITTED)
def test_parallel_coordinates(name):
    search = fitted(name)
    display = read_display(ParallelCoordinateDisplay, name)
    frame = display.frame()
    names = [parameter.name for parameter in display.parameters]
    assert frame.columns.tolist() == ["round", *names, "score"]
    for candidate, row in frame.iterrows():
        for parameter in names:
            value = search.cv_results_["params"][candidate].get(parameter, np.nan)
            assert row[parameter] is value or row[parameter] == value
    assert not frame["score"].isna().any()


@pytest.mark.parametrize("name", TWO_OR_MORE)
def test_landscapes(name):
    search = fitted(name)
    display = read_display(SearchLandscapeDisplay, name)
    across, up = display.parameters
    frame = display.frame()
    assert frame.columns.tolist() == [
        across.name,
        up.name,
        "round",
        "status",
        "score",
    ]
    params = search.cv_results_["params"]
    both = [i for i, c in enumerate(params) if across.name in c and up.name in c]
    assert frame.index.tolist() == both
    assert display.surface.scores.shape == (
        len(display.surface.y),
        len(display.surface.x),
    )
    seen = scores_of(search)
    assert np.isfinite(display.surface.scores).all()
    assert np.nanmin(display.surface.scores) >= np.nanmin(seen)
    assert np.nanmax(display.surface.scores) <= np.nanmax(seen)


def scores_of(search):
    """Return the means of all metrics."""
    return [v for k, v in search.cv_results_.items() if k.startswith("mean_test")]


@pytest.mark.parametrize("n", [4, 5])
def test_surface_needs_five_candidates(n):
    search = search_with_scores(np.linspace(0, 1, n))
    surface = read(SearchLandscapeDisplay, search).surface
    assert (surface is None) == (n < 5)


def test_points_on_two_choices_fill_a_square():
    grid = {"act": ["relu", "tanh"], "flag": [True, False], "alpha": [1e-4, 1e-3, 1e-2]}
    search = GridSearchCV(Toy(), grid).fit(X, Y)
    display = read(SearchLandscapeDisplay, search, ["act", "flag"]).plot()
    marks = [c for c in display.ax_.collections if c.get_label() == "candidate"]
    x, y = (marks[0].get_offsets() % 1).T
    assert len(x) == 12
    x, y = (np.where(z > 0.5, z - 1, z) for z in (x, y))
    assert np.abs([x, y]).max() <= 0.25
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.5


def test_colorbar_of_equal_scores_shows_the_score():
    display = read(SearchLandscapeDisplay, search_with_scores([0.25] * 6)).plot()
    bar = display.figure_.axes[1]
    assert [text.get_text() for text in bar.get_yticklabels()] == ["0.25"]


def test_diverged_candidate_does_not_use_up_the_colors():
    scores = np.r_[-6e17, np.linspace(0.3, 0.6, 20)]
    display = read(SearchLandscapeDisplay, search_with_scores(scores)).plot()
    display.figure_.canvas.draw()
    bar = display.figure_.axes[1]
    labels = [text.get_text() for text in bar.get_yticklabels()]
    assert len(labels) == 11
    assert float(labels[0]) == -6e17
    assert np.diff([float(label) for label in labels[1:]]).min() > 0
    box = bar.get_window_extent()
    column = int((box.x0 + box.x1) / 2)
    height = display.figure_.canvas.get_width_height()[1]
    pixels = np.asarray(display.figure_.canvas.buffer_rgba())[:, column, :3]
    at = height - box.y0 - (np.arange(10) + 0.5) / 10 * box.height
    shown = pixels[at.astype(int)]
    assert len(np.unique(shown, axis=0)) == 10
    assert (shown.min(axis=1) < 200).all()


@pytest.mark.parametrize("display", DISPLAYS)
def test_long_names_stay_inside_the_figure(display):
    name = "mlpregressor__hidden_layer_sizes_of_the_first_network"
    search = search_with_scores(np.linspace(0, 1, 8))
    search.scoring = "neg_root_mean_squared_error"
    for params in search.cv_results_["params"]:
        params[name] = params.pop("a")
    made = read(display, search).plot()
    made.figure_.canvas.draw()
    width, height = made.figure_.bbox.size
    texts = made.figure_.findobj(
        lambda artist: (
            isinstance(artist, mpl.text.Text)
            and artist.get_visible()
            and len(artist.get_text()) > 20
        )
    )
    assert texts
    for text in texts:
        box = text.get_window_extent()
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


def test_surface_uses_the_best_values_of_other_parameters():
    search = GridSearchCV(Toy(), TWO | {"act": ["relu", "identity"]}).fit(X, Y)
    display = read(SearchLandscapeDisplay, search, ["alpha", "lr"])
    scores = display.frame()["score"]
    worse = scores[[p["act"] == "identity" for p in search.cv_results_["params"]]]
    assert worse.max() < scores.max() - 0.2
    assert display.surface.scores.max() > scores.max() - 0.1


def test_surface_is_close_to_the_scores():
    display = read(SearchLandscapeDisplay, fitted("refining"), ["alpha", "lr"])
    surface = display.surface
    errors = []
    for row in display.frame().itertuples():
        i = np.abs(np.log(surface.x / row.alpha)).argmin()
        j = np.abs(np.log(surface.y / row.lr)).argmin()
        errors.append(surface.scores[j, i] - row.score)
    assert np.std(errors) < 0.3 * display.frame()["score"].std()


def test_windows_match_the_rounds():
    search = fitted("refining")
    display = read(SearchLandscapeDisplay, search, ["alpha", "lr"])
    for window in display.windows:
        rows = search.windows_.query(f"round == {window.round}")
        for name, covered in (("alpha", window.x), ("lr", window.y)):
            row = rows[rows["parameter"] == name].iloc[window.center]
            assert (row["low"], row["high"]) == covered
    assert {window.round for window in display.windows} == {1, 2, 3, 4}
    assert display.surface.x.min() < min(window.x[0] for window in display.windows)
    assert len(display.plot(windows="all").ax_.patches) == len(display.windows)
    last = [window for window in display.windows if window.round > 2]
    assert len(display.plot().ax_.patches) == len(last) > 0
    assert legend_texts(display.ax_)[-2:] == ["window of round 3", "window of round 4"]
    assert len(display.plot(windows=0).ax_.patches) == 0
    with pytest.raises(ValueError, match="windows='last' is neither 'all' nor a"):
        display.plot(windows="last")


def test_windows_on_choices_and_layer_sizes_cover_levels():
    search = fitted("eight")
    display = read(SearchLandscapeDisplay, search, ["layers", "act"])
    layers, act = display.parameters
    assert display.windows
    for window in display.windows:
        inside = [p for p in range(len(layers.levels)) if window.x[0] < p < window.x[1]]
        assert inside
        assert window.y[1] - window.y[0] < len(act.levels)
    first = [window for window in display.windows if window.round == 1]
    assert first[0].y == (-0.45, 2.45)
    assert first[0].x == (-0.45, len(layers.levels) - 0.55)


def test_windows_on_layer_sizes_of_a_grid_cover_the_listed_sizes():
    grid = {"layers": [(8,), (32, 16)], "alpha": [1e-4, 1e-2]}
    search = RefiningGridSearchCV(Toy(), grid, n_rounds=2).fit(X, Y)
    display = read(SearchLandscapeDisplay, search, ["layers", "alpha"])
    layers, _ = display.parameters
    for window in display.windows:
        rows = search.windows_.query(
            f"round == {window.round} and parameter == 'layers'"
        )
        listed = rows["choices"].iloc[window.center]
        inside = {
            level
            for place, level in enumerate(layers.levels)
            if window.x[0] < place < window.x[1]
        }
        assert inside & set(listed)
        assert {len(level) for level in inside} <= {len(level) for level in listed}


def test_rounds_have_a_continuous_color_bar():
    display = read(SearchSliceDisplay, fitted("refining")).plot()
    display.figure_.canvas.draw()
    bar = display.figure_.axes[-1]
    assert bar.get_ylabel() == "round"
    assert [text.get_text() for text in shown_ticks(bar.yaxis)] == ["1", "2", "3", "4"]
    points = display.ax_[0].collections[0]
    assert len(np.unique(points.get_facecolor(), axis=0)) == 4
    plain = read(SearchSliceDisplay, fitted("grid")).plot()
    assert len(plain.figure_.axes) == len(plain.ax_)


def test_no_windows_of_subspaces_or_searches_without_rounds():
    assert read(SearchLandscapeDisplay, fitted("dicts")).windows == []
    assert read(SearchLandscapeDisplay, fitted("grid")).windows == []


def test_landscape_needs_two_parameters_set_together():
    assert DICTS[2].keys().isdisjoint(DICTS[0])
    search = fitted("dicts")
    with pytest.raises(ValueError, match=r"\['act', 'lr'\] are set together by no"):
        read(SearchLandscapeDisplay, search, ["act", "lr"])
    for params in (["act"], ["act", "act"], ["act", "lr", "mix"]):
        with pytest.raises(ValueError, match="are not two different parameters"):
            read(SearchLandscapeDisplay, search, params)


def search_with_subspaces():
    """Return a search whose subspaces vary different parameters."""
    space = [
        {"act": ["relu"], "alpha": [1e-4, 1e-3, 1e-2]},
        {"act": ["identity", "sigmoid"]},
        {"act": ["tanh"], "width": [2, 4, 8], "scaler": [None, "a", "b"]},
    ]
    return GridSearchCV(Toy(), space).fit(X, Y)


def test_landscape_draws_parameters_that_vary_together(tmp_path):
    search = search_with_subspaces()
    display = read(SearchLandscapeDisplay, search)
    assert {p.name for p in display.parameters} == {"scaler", "width"}
    assert set(display.frame()["score"]) == {
        score
        for score, params in zip(
            search.cv_results_["mean_test_score"],
            search.cv_results_["params"],
            strict=True,
        )
        if "width" in params
    }
    apart = GridSearchCV(Toy(), [{"alpha": [1e-4, 1e-3]}, {"lr": [1e-2, 1e-3]}])
    with pytest.raises(ValueError, match=r"no two of \['alpha', 'lr'\] both vary"):
        read(SearchLandscapeDisplay, apart.fit(X, Y))
    page = search_report(apart, tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 4


def test_surface_is_nan_where_the_other_parameter_is_not_set():
    display = read(SearchLandscapeDisplay, search_with_subspaces(), ["act", "alpha"])
    (act, _), scores = display.parameters, display.surface.scores
    there = np.isfinite(scores).all(axis=0)
    assert there.tolist() == [label == "relu" for label in act.labels]
    assert np.isnan(scores[:, ~there]).all()
    display.plot().figure_.canvas.draw()
    turned = read(SearchLandscapeDisplay, search_with_subspaces(), ["alpha", "act"])
    np.testing.assert_array_equal(turned.surface.scores, scores.T)


def test_landscape_without_a_colorbar_on_given_axes():
    _, ax = plt.subplots()
    display = read(SearchLandscapeDisplay, fitted("grid"))
    display.plot(ax, colorbar=False)
    assert display.ax_ is ax
    assert len(ax.figure.axes) == 1
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_options_reach_what_is_drawn():
    search = fitted("grid")
    display = read(SearchHistoryDisplay, search)
    display.plot(scatter_kw={"color": "red"}, line_kw={"color": "green"})
    assert display.ax_.lines[0].get_color() == "green"
    assert is_color(drawn_points(display)[0].get_facecolor(), "red")
    display = read(ParameterImportanceDisplay, search).plot(bar_kw={"color": "c"})
    own = display.ax_.patches[: len(display.data)]
    assert all(is_color(bar.get_facecolor(), "c") for bar in own)
    display = read(ParallelCoordinateDisplay, search, ["lr", "alpha"])
    display.plot(line_kw={"linestyles": ":", "linewidths": 3})
    (lines,) = display.ax_.collections
    assert lines.get_linewidths() == [3]
    assert lines.get_linestyle()[0][1] is not None
    assert display.frame().columns.tolist() == ["round", "lr", "alpha", "score"]
    display = read(SearchSliceDisplay, search).plot(scatter_kw={"color": "red"})
    assert all(is_color(ax.collections[0].get_facecolor(), "red") for ax in display.ax_)
    display = read(SearchLandscapeDisplay, search).plot(scatter_kw={"s": 4})
    marks = [c for c in display.ax_.collections if c.get_label() == "candidate"]
    assert marks[0].get_sizes().tolist() == [4]


POINTS = [
    {"linewidths": 2},
    {"edgecolors": "red"},
    {"edgecolor": "red"},
    {"facecolors": "red"},
    {"facecolor": "none"},
    {"c": "red"},
    {"color": "red"},
    {"marker": "x"},
    {"marker": "x", "c": "red"},
    {"marker": "x", "edgecolors": "red", "facecolors": "none"},
    {"label": "mine"},
    {"zorder": 9},
    {"s": 4},
    {"cmap": "magma"},
]


def drawn_points(display):
    """Return all points of a drawn display; contours are paths without sizes."""
    marks = [c for ax in np.ravel(display.ax_) for c in ax.collections]
    paths = [m for m in marks if isinstance(m, mpl.collections.PathCollection)]
    return [path for path in paths if len(path.get_sizes())]


@pytest.mark.slow
@pytest.mark.parametrize("given", POINTS, ids=str)
@pytest.mark.parametrize(
    "display", [SearchHistoryDisplay, SearchLandscapeDisplay, SearchSliceDisplay]
)
def test_points_take_the_options_of_scatter_by_all_names(display, given):
    if "cmap" in given and display is not SearchLandscapeDisplay:
        return
    made = read_display(display, "racing").plot(scatter_kw=given)
    made.figure_.canvas.draw()
    first = drawn_points(made)[0]
    if "linewidths" in given:
        assert first.get_linewidths() == [2]
    if given.keys() & {"edgecolors", "edgecolor"}:
        assert is_color(first.get_edgecolor(), "red")
        assert first.get_linewidths()[0] > 0
    if given.get("facecolor") == "none":
        assert len(first.get_facecolor()) == 0
        assert len(first.get_edgecolor()) > 0
        assert first.get_linewidths()[0] > 0
    if "red" in (given.get("c"), given.get("color"), given.get("facecolors")):
        shown = first.get_edgecolor() if "marker" in given else first.get_facecolor()
        assert is_color(shown, "red")
    if "marker" in given:
        assert first.get_linewidths()[0] > 0


def test_hollow_points_take_a_color_at_their_edges():
    made = read_display(SearchHistoryDisplay, "racing").plot(scatter_kw={"c": "red"})
    (dropped,) = (mark for mark in drawn_points(made) if mark.get_label() == "dropped")
    assert is_color(dropped.get_edgecolor(), "red")
    assert len(dropped.get_facecolor()) == 0


@pytest.mark.parametrize(("given", "color"), [({}, "0.85"), ({"c": "red"}, "red")])
def test_landscape_legend_is_gray_unless_points_have_one_color(given, color):
    made = read_display(SearchLandscapeDisplay, "refining").plot(scatter_kw=given)
    handles = made.ax_.get_legend().legend_handles
    assert handles[0].get_label() == "candidate"
    assert is_color(handles[0].get_facecolor(), color)


def test_lines_and_bars_take_the_options_of_matplotlib_by_all_names():
    history = read_display(SearchHistoryDisplay, "grid")
    for given in ({"c": "red", "lw": 3}, {"color": "red", "linewidth": 3}):
        line = history.plot(line_kw=given | {"where": "mid"}).ax_.lines[0]
        assert line.get_color() == "red"
        assert line.get_linewidth() == 3
        assert line.get_drawstyle() == "steps-mid"
    parallel = read_display(ParallelCoordinateDisplay, "grid")
    for given in ({"color": "red"}, {"colors": "red"}, {"edgecolors": "red"}):
        (lines,) = parallel.plot(line_kw=given).ax_.collections
        assert is_color(lines.get_color(), "red")
    for given in ({"lw": 3}, {"linewidth": 3}, {"linewidths": 3}):
        (lines,) = parallel.plot(line_kw=given).ax_.collections
        assert lines.get_linewidth() == [3]
    importance = read_display(ParameterImportanceDisplay, "grid")
    for given in ({"facecolor": "red"}, {"fc": "red"}, {"color": "red"}):
        bar = importance.plot(bar_kw=given | {"height": 0.3}).ax_.patches[0]
        assert is_color(bar.get_facecolor(), "red")
        assert bar.get_height() == pytest.approx(0.3)


def is_color(rgba, name):
    return mpl.colors.same_color(np.ravel(rgba)[:3], name)


def test_dollar_signs_are_drawn_literally():
    search = GridSearchCV(
        Ridge(), {"alpha": [0.1, 1.0], "solver": ["svd", "lsqr"]}
    ).fit(np.arange(20.0).reshape(-1, 1), np.arange(20.0))
    for params in search.cv_results_["params"]:
        params["solver"] = f"$\\frac{{{params['solver']}"
    for display in DISPLAYS:
        read(display, search).plot().figure_.canvas.draw()


NAMES = ["round", "status", "score", "x", "y", "candidate", "parameter", "value"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("display", DISPLAYS)
def test_parameters_may_have_the_names_of_columns(display, name):
    search = search_with_scores(np.linspace(0, 1, 8))
    plain = read(display, search).frame()
    for params in search.cv_results_["params"]:
        params[name] = params.pop("a")
    made = read(display, search)
    made.plot().figure_.canvas.draw()
    frame = made.frame()
    assert frame.shape == plain.shape
    assert frame.columns.is_unique
    if display in (SearchLandscapeDisplay, ParallelCoordinateDisplay):
        taken = {"round", "score"} | ({"status"} & {*plain.columns})
        assert {p.name for p in made.parameters} == {name, "b"}
        values = frame[f"param_{name}" if name in taken else name]
        assert sorted(values) == list(range(8))
        assert frame["score"].tolist() == plain["score"].tolist()


@pytest.mark.parametrize("display", DISPLAYS)
def test_metrics(display):
    search = fitted("multimetric")
    own, other = (read(display, search, metric=m) for m in (None, "neg"))
    assert (own.score_name, other.score_name) == ("own", "neg")
    if "score" in own.frame():
        assert not np.allclose(own.frame()["score"], other.frame()["score"])
    with pytest.raises(ValueError, match=r"metric='x' is not among"):
        read(display, search, metric="x")


@pytest.mark.parametrize("display", DISPLAYS)
def test_unfitted_searches_are_refused(display):
    with pytest.raises(Exception, match="has no cv_results_") as raised:
        read(display, GridSearchCV(Toy(), EIGHT))
    assert type(raised.value).__name__ == "NotFittedError"
    with pytest.raises(TypeError, match="is not a search"):
        read(display, "search")


@pytest.mark.parametrize("display", [ParallelCoordinateDisplay, SearchSliceDisplay])
def test_unknown_and_missing_parameters_raise(display):
    with pytest.raises(ValueError, match="'x' is not a parameter of this search"):
        read(display, fitted("grid"), ["x"])
    search = GridSearchCV(Ridge(), {}).fit(np.eye(10), np.arange(10.0))
    with pytest.raises(ValueError, match="sets no parameter"):
        read(display, search)


def test_unknown_axis_and_too_few_candidates_raise():
    with pytest.raises(ValueError, match="x='rounds' is unknown; use one of"):
        read(SearchHistoryDisplay, fitted("grid")).plot(x="rounds")
    with pytest.raises(ValueError, match=r"2 candidates with a score .* at least 3"):
        read(ParameterImportanceDisplay, search_with_scores([1.0, 2.0]))


@pytest.mark.parametrize("display", DISPLAYS)
def test_without_matplotlib_plot_says_what_to_install(display, monkeypatch):
    made = read_display(display, "grid")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install sklearn-refine\[plot\]"):
        made.plot()


def test_matplotlib_is_imported_only_to_draw():
    code = """
import sys
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier
import sklearn_refine as sr
grid = {"max_depth": [1, 2, 3], "criterion": ["gini", "entropy"]}
tree = DecisionTreeClassifier(random_state=0)
search = sr.RefiningGridSearchCV(tree, grid, n_rounds=2)
search.fit(*load_iris(return_X_y=True))
displays = [getattr(sr, name) for name in sr.__all__ if name.endswith("Display")]
frames = [display.from_search(search, draw=False).frame() for display in displays]
print(len(frames), "matplotlib" in sys.modules)
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["5", "False"]
