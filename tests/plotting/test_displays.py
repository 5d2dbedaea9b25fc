"""What all displays share: drawing at once, names, signs, overlays, notebooks."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from toy_searches import EIGHT, Toy, X, Y, fitted

from sklearn_refine import (
    JournalError,
    ParallelCoordinateDisplay,
    ParameterImportanceDisplay,
    SearchHistoryDisplay,
    SearchLandscapeDisplay,
    SearchSliceDisplay,
    SuccessiveRandomSearchCV,
)
from sklearn_refine.plotting._figures import figure_bundle

mpl.use("Agg")
import matplotlib.pyplot as plt

DISPLAYS = [
    ParallelCoordinateDisplay,
    ParameterImportanceDisplay,
    SearchHistoryDisplay,
    SearchLandscapeDisplay,
    SearchSliceDisplay,
]


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")  # those of doctests, too
    yield
    plt.close("all")


def legend_texts(ax):
    return [label.get_text() for label in ax.get_legend().get_texts()]


@pytest.mark.parametrize("display", DISPLAYS)
def test_from_search_and_from_estimator_draw_at_once(display):
    for create in (display.from_search, display.from_estimator):
        made = create(fitted("grid"), title="A title")
        assert len(plt.get_fignums()) == 1
        assert np.ravel(made.ax_)[0].has_data()
        texts = made.figure_.findobj(mpl.text.Text)
        assert "A title" in " ".join(text.get_text() for text in texts)
        plt.close("all")
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        display.from_search(fitted("grid"), colour="red")


@pytest.mark.slow
@pytest.mark.parametrize("display", DISPLAYS)
def test_displays_draw_on_given_axes_and_figures(display):
    figure = plt.figure(layout="constrained")
    made = display.from_search(fitted("grid"), ax=figure)
    assert made.figure_ is figure
    _, axes = plt.subplots(1, 2)
    ax = axes if display is SearchSliceDisplay else axes[0]
    made = display.from_search(fitted("grid"), ax=ax)
    assert np.ravel(made.ax_)[0] is axes[0]


def test_a_notebook_shows_the_picture_once():
    display = SearchHistoryDisplay.from_search(fitted("grid"))
    assert repr(display) == "SearchHistoryDisplay(9 candidates of GridSearchCV)"
    for _ in range(2):
        shown = display._repr_mimebundle_()
        assert shown["text/plain"] == repr(display)
        assert shown["image/png"].startswith(b"\x89PNG")
        assert plt.get_fignums() == []  # so the notebook does not show it again
    undrawn = SearchHistoryDisplay.from_search(fitted("grid"), draw=False)
    assert undrawn._repr_mimebundle_() == {"text/plain": repr(display)}


def test_figures_in_windows_are_not_shown_again():
    figure = plt.figure()
    figure.canvas.required_interactive_framework = "qt"
    assert figure_bundle(figure) == {}
    assert plt.get_fignums() == [figure.number]


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    path = tmp_path_factory.mktemp("journal") / "search.db"
    space = {"alpha": loguniform(1e-6, 1), "lr": loguniform(1e-4, 0.4)}
    search = SuccessiveRandomSearchCV(
        Toy(), space, n_iter=16, random_state=0, journal=path
    )
    return search.fit(X, Y), path


@pytest.mark.slow
@pytest.mark.parametrize("display", DISPLAYS)
def test_a_journal_is_drawn_as_its_search(display, journal):
    search, path = journal
    made = display.from_journal(path)
    assert repr(made) == repr(display.from_search(search, draw=False))
    expected = display.from_search(search, draw=False).frame()
    pd.testing.assert_frame_equal(made.frame(), expected)


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    path = Path(tmp_path) / "text.db"
    path.write_text("nothing")
    with pytest.raises(JournalError, match=r"text\.db"):
        SearchHistoryDisplay.from_journal(path)


def make_nested_search():
    """Return a search whose parameters have long names."""
    inputs = make_column_transformer((make_pipeline(SimpleImputer()), [0, 1, 2, 3]))
    step = "columntransformer__pipeline__simpleimputer__"
    grid = {
        step + "strategy": ["mean", "median"],
        step + "add_indicator": [True, False],
        "svc__C": [1, 10],
    }
    search = GridSearchCV(make_pipeline(inputs, SVC()), grid, cv=3)
    return search.fit(*load_iris(return_X_y=True))


def test_labels_are_short_unless_full_names_are_asked_for():
    search = make_nested_search()
    for full in (False, True):
        made = ParameterImportanceDisplay.from_search(search, full_names=full)
        made.figure_.canvas.draw()
        labels = made.ax_.get_yticklabels()
        texts = {label.get_text().replace("\n", "") for label in labels}
        names = {"strategy", "add_indicator", "C"}
        assert texts == ({*search.param_grid} if full else names)
        assert_apart(labels)


def assert_apart(texts):
    """Assert that visible texts do not overlap."""
    shown = [text for text in texts if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown]
    for (first, a), (second, b) in combinations(boxes, 2):
        assert not a.shrunk(0.98, 0.9).overlaps(b.shrunk(0.98, 0.9)), (first, second)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["racing", "refining", "failing", "halving"])
def test_texts_of_a_history_do_not_overlap(name):
    display = SearchHistoryDisplay.from_search(fitted(name))
    display.figure_.canvas.draw()
    ax = display.ax_
    numbers = [*ax.texts]
    assert_apart([*numbers, *ax.get_legend().get_texts(), ax.xaxis.label])
    bottom = ax.get_window_extent().y0
    assert all(number.get_window_extent().y0 > bottom + 20 for number in numbers)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["eight", "dicts", "racing"])
def test_texts_of_slices_and_parallel_axes_do_not_overlap(name):
    display = SearchSliceDisplay.from_search(fitted(name))
    display.figure_.canvas.draw()
    axes = list(display.ax_)
    assert_apart([ax.xaxis.label for ax in axes] + [ax.yaxis.label for ax in axes])
    display = ParallelCoordinateDisplay.from_search(fitted(name))
    display.figure_.canvas.draw()
    assert_apart(display.ax_.get_xticklabels())
    assert_apart(display.ax_.texts)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["eight", "halving", "racing", "multimetric"])
def test_texts_of_landscapes_do_not_overlap(name):
    display = SearchLandscapeDisplay.from_search(fitted(name))
    display.figure_.canvas.draw()
    legend, (ax, bar) = display.ax_.get_legend(), display.figure_.axes
    title = legend.get_title()
    assert_apart([title, *legend.get_texts(), ax.xaxis.label, *ax.get_xticklabels()])
    assert_apart([*ax.get_yticklabels(), ax.yaxis.label])
    assert_apart([*bar.get_yticklabels(), bar.yaxis.label])
    width = display.figure_.bbox.width
    for text in (title, *legend.get_texts(), bar.yaxis.label):
        assert text.get_window_extent().x1 <= width
    assert ("Hatched" in title.get_text()) == (name == "halving")


@pytest.mark.slow
def test_texts_of_a_color_bar_have_equal_decimals():
    display = SearchLandscapeDisplay.from_search(fitted("eight"))
    display.figure_.canvas.draw()
    texts = [label.get_text() for label in display.figure_.axes[1].get_yticklabels()]
    assert len({len(text.partition(".")[2]) for text in texts}) == 1
    title = display.ax_.get_legend().get_title().get_text()
    assert title == "Surface: other parameters as in the best candidate."


@pytest.mark.slow
@pytest.mark.parametrize("display", DISPLAYS)
def test_scores_are_negated_and_named_as_in_scikit_learn(display):
    search = fitted("multimetric")
    made = display.from_search(search, metric="neg", draw=False)
    made.score_name = "neg_mean_squared_error"
    for negate, expected in ((False, "Negative mean squared"), (True, "Mean squared")):
        made.plot(negate_score=negate).figure_.canvas.draw()
        assert expected in all_texts(made).replace("\n", " ")
    assert "Loss" in all_texts(made.plot(score_name="Loss"))


def all_texts(display):
    found = display.figure_.findobj(mpl.text.Text)
    return " | ".join(text.get_text() for text in found)


def test_negated_scores_are_errors_with_bad_ones_above():
    plain = SearchHistoryDisplay.from_search(fitted("racing"))
    negated = SearchHistoryDisplay.from_search(fitted("racing"), negate_score=True)
    np.testing.assert_array_equal(
        negated.ax_.lines[0].get_ydata(), -plain.ax_.lines[0].get_ydata()
    )
    marks = {c.get_label(): c for c in negated.ax_.collections}
    assert set(marks["failed"].get_offsets()[:, 1]) == {1.0}
    assert "above -0.49" in marks


def test_two_histories_compare_on_one_axes():
    first = SearchHistoryDisplay.from_search(fitted("racing"), name="race")
    limits = first.ax_.get_ylim()
    second = SearchHistoryDisplay.from_search(fitted("grid"), name="grid", ax=first.ax_)
    assert second.ax_ is first.ax_
    low, high = first.ax_.get_ylim()
    assert low <= limits[0]
    assert high >= limits[1]
    texts = legend_texts(first.ax_)
    assert {"race: best so far", "grid: best so far"} <= set(texts)
    marks = zip(texts, first.ax_.get_legend().legend_handles, strict=True)
    sizes = {text: mark.get_sizes()[0] for text, mark in marks if "best 0" in text}
    assert [*sizes.values()] == [100.0, 100.0]
    assert len(set(texts)) == len(texts)
    lines = {line.get_label(): line.get_color() for line in first.ax_.lines}
    assert lines["race: best so far"] != lines["grid: best so far"]
    failed = next(c for c in first.ax_.collections if c.get_label() == "failed")
    # At the edge of the axes, whatever their limits are.
    place = failed.get_offset_transform().transform(failed.get_offsets())[0]
    assert first.ax_.transAxes.inverted().transform(place)[1] == pytest.approx(0)


@pytest.mark.parametrize(
    ("name", "x"),
    [("random", "candidates"), ("halving", "fits"), ("one", "seconds")],
)
def test_a_history_shows_every_candidate(name, x):
    search = fitted(name)
    display = SearchHistoryDisplay.from_search(search, x=x)
    assert n_points(display.ax_) == n_points(display.ax_, visible=True)
    assert n_points(display.ax_) == len(search.cv_results_["params"]) + 1  # the star


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random", "failing", "dicts"])
def test_slices_and_landscapes_show_every_candidate(name):
    for display in (SearchSliceDisplay, SearchLandscapeDisplay):
        made = display.from_search(fitted(name))
        for ax in np.ravel(made.ax_):
            assert n_points(ax) == n_points(ax, visible=True) > 0


def n_points(ax, *, visible=False):
    """Return the number of points drawn on the axes, or inside its limits."""
    n = 0
    for points in ax.collections:
        if len(points.get_offsets()) and points.get_label()[:1] != "_":
            places = points.get_offset_transform().transform(points.get_offsets())
            x, y = ax.transAxes.inverted().transform(places).T
            inside = (np.minimum(x, y) >= -1e-6) & (np.maximum(x, y) <= 1 + 1e-6)
            n += int(inside.sum()) if visible else len(places)
    return n


@pytest.mark.slow
def test_two_searches_compare_in_slices():
    first = SearchSliceDisplay.from_search(fitted("refining"), name="refined")
    second = SearchSliceDisplay.from_search(fitted("grid"), name="grid", ax=first.ax_)
    second.legend()
    marks = {c.get_label(): c.get_facecolor()[0] for c in first.ax_[0].collections[:]}
    assert not np.allclose(marks["refined"], marks["grid"])


def test_history_counts_fits_of_a_race():
    search = fitted("racing")
    display = SearchHistoryDisplay.from_search(search, x="fits")
    assert display.frame()["fits"].iloc[-1] == search.n_fits_
    assert display.ax_.get_xlabel() == "fits"
    assert "±1 standard error of the best" in legend_texts(display.ax_)


@pytest.mark.slow
def test_many_layer_sizes_are_drawn_as_depth_and_widths():
    search = fitted("eight")
    parts = ["depth", "width 1", "width 2", "width 3"]
    expected = [f"layers [{part}]" for part in parts]
    display = SearchSliceDisplay.from_search(search, ["layers"])
    assert [ax.get_xlabel() for ax in display.ax_] == expected
    depths = [len(p["layers"]) for p in search.cv_results_["params"]]
    drawn = [
        marks.get_offsets()[:, 0]
        for marks in display.ax_[0].collections
        if marks.get_label() != "best" and marks.get_label()[0] != "_"
    ]
    assert sorted(np.concatenate(drawn)) == sorted(depths)
    curves = display.curves
    assert [*curves] == expected
    assert curves["layers [depth]"].x.tolist() == [1, 2, 3]
    for ax in display.ax_:
        assert any(len(line.get_xdata()) > 2 for line in ax.lines)
    lines = ParallelCoordinateDisplay.from_search(search, ["layers"])
    labels = [text.get_text() for text in lines.ax_.get_xticklabels()]
    assert labels[:-1] == [text.replace(" [", "\n[") for text in expected]


def test_slices_are_in_the_order_of_importance_with_a_curve_and_band():
    display = SearchSliceDisplay.from_search(fitted("eight"), draw=False)
    names = [parameter.name for parameter in display.parameters]
    importance = ParameterImportanceDisplay.from_search(fitted("eight"), draw=False)
    assert names == importance.frame()["parameter"].tolist()
    assert set(names) == set(EIGHT)
    curve = display.curves["lr"]
    assert abs(np.log10(curve.x[curve.mean.argmax()]) + 2) < 0.5  # best at 1e-2
    assert (curve.low <= curve.mean).all()
    assert (curve.mean <= curve.high).all()


def test_parallel_coordinates_color_the_best():
    display = ParallelCoordinateDisplay.from_search(fitted("eight"), top=5)
    colors = display.ax_.collections[0].get_colors()
    gray = (colors[:, :3] == 0.6).all(axis=1)
    assert gray[:-5].all()
    assert not gray[-5:].any()
    bar = [text.get_text() for text in display.figure_.axes[1].get_yticklabels()]
    assert bar[-1].endswith("best")
    with pytest.raises(ValueError, match="top=0 candidates cannot be drawn"):
        display.plot(top=0)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 3000])
def test_few_and_many_candidates_have_legible_slices(n):
    rng = np.random.RandomState(0)
    x = rng.uniform(size=n)
    search = type("Search", (), {})()
    search.cv_results_ = {
        "params": [
            {"a": float(a), "b": float(b)} for a, b in zip(x, x**2, strict=False)
        ],
        "mean_test_score": -((x - 0.4) ** 2),
        "split0_test_score": -((x - 0.4) ** 2),
    }
    for display in DISPLAYS:
        made = display.from_search(search)
        made.figure_.canvas.draw()
        assert made.results.best is not None
