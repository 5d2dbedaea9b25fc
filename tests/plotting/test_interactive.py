"""The interactive figures of plotly."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from toy_searches import UNFITTED, fitted

from sklearn_refine import (
    ParallelCoordinateDisplay,
    ParameterImportanceDisplay,
    SearchHistoryDisplay,
    SearchLandscapeDisplay,
    SearchSliceDisplay,
)

pytest.importorskip("plotly", reason="plotly draws interactive figures")

DISPLAYS = [
    ParallelCoordinateDisplay,
    SearchHistoryDisplay,
    SearchLandscapeDisplay,
    SearchSliceDisplay,
]


@pytest.mark.slow
@pytest.mark.parametrize("name", UNFITTED)
@pytest.mark.parametrize("display", DISPLAYS)
def test_every_search_is_drawn(display, name):
    if display is SearchLandscapeDisplay and name == "one":
        return
    made = display.from_search(fitted(name), backend="plotly")
    assert made.ax_ is None
    assert made.figure_.to_json()


def hovers(figure):
    return [t for trace in figure.data if trace.text is not None for t in trace.text]


@pytest.mark.parametrize("display", DISPLAYS[1:])
def test_the_mouse_shows_each_candidate(display):
    search = fitted("grid")
    made = display.from_search(search, backend="plotly", title="<Mine>")
    texts = hovers(made.figure_)
    for number, params in enumerate(search.cv_results_["params"]):
        (text, *_) = (t for t in texts if t.startswith(f"<b>candidate {number}</b>"))
        assert f"alpha: {params['alpha']:.4g}" in text
        assert f"{search.cv_results_['mean_test_score'][number]:.4g}" in text
    assert made.figure_.layout.title.text == "&lt;Mine&gt;"
    assert "text/html" in made._repr_mimebundle_() or made._repr_mimebundle_()


def test_history_shows_scores_and_the_best_so_far():
    search = fitted("racing")
    made = SearchHistoryDisplay.from_search(search, backend="plotly", x="fits")
    line = next(trace for trace in made.figure_.data if trace.mode == "lines")
    np.testing.assert_array_equal(line.y, made.frame()["best_so_far"])
    np.testing.assert_array_equal(line.x, made.frame()["fits"])
    made.plot(backend="plotly", negate_score=True)
    line = next(trace for trace in made.figure_.data if trace.mode == "lines")
    np.testing.assert_array_equal(line.y, -made.frame()["best_so_far"])


def test_slices_have_one_line_over_numbers_and_dashes_at_choices():
    made = SearchSliceDisplay.from_search(fitted("multimetric"), backend="plotly")
    name = "expected, others at best"
    lines = {t.xaxis: t for t in made.figure_.data if t.name == name}
    assert [line.showlegend for line in lines.values()] == [True, False]
    numbers, choices = lines["x"], lines["x2"]
    curve = made.curves["alpha"]
    np.testing.assert_array_equal(numbers.x[:-1], curve.x)
    np.testing.assert_array_equal(numbers.y[:-1], curve.mean)
    expected = [-0.38, 0.38, np.nan, 0.62, 1.38, np.nan]
    np.testing.assert_allclose(choices.x, expected)
    assert made.figure_.layout.xaxis.dtick == 1


def test_parallel_axes_are_the_parameters():
    made = ParallelCoordinateDisplay.from_search(fitted("eight"), backend="plotly")
    (lines,) = made.figure_.data
    labels = [axis.label for axis in lines.dimensions]
    assert labels[0] == "act"
    assert "layers [depth]" in labels
    assert labels[-1] == "Score"
    lr = lines.dimensions[labels.index("lr")]
    expected = np.log10(made.frame()["lr"].astype(float))
    np.testing.assert_allclose(lr["values"], expected)


def test_windows_are_drawn_on_logarithmic_axes():
    made = SearchLandscapeDisplay.from_search(fitted("refining"), backend="plotly")
    assert made.figure_.layout.xaxis.type == "log"
    shapes = made.figure_.layout.shapes
    assert len(shapes) == sum(window.round > 2 for window in made.windows) > 0


@pytest.mark.parametrize("display", DISPLAYS)
def test_missing_plotly_and_unknown_backends(display, monkeypatch):
    made = display.from_search(fitted("grid"), draw=False)
    with pytest.raises(ValueError, match="backend='bokeh' is unknown; use 'matplo"):
        made.plot(backend="bokeh")
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(ImportError, match=r"pip install sklearn-refine\[interactive\]"):
        made.plot(backend="plotly")


def test_importances_are_not_interactive():
    with pytest.raises(TypeError, match="unexpected keyword argument 'backend'"):
        ParameterImportanceDisplay.from_search(fitted("grid"), backend="plotly")


@pytest.mark.slow
def test_plotly_is_imported_only_to_draw():
    code = """
import sys
import numpy as np
import sklearn_refine as sr
search = type("Search", (), {})()
search.cv_results_ = {
    "params": [{"a": 1.0}, {"a": 2.0}],
    "mean_test_score": np.array([0.1, 0.2]),
    "split0_test_score": np.array([0.1, 0.2]),
}
display = sr.SearchHistoryDisplay.from_search(search, draw=False)
before = "plotly" in sys.modules
display.plot(backend="plotly")
print(before, "plotly" in sys.modules, "matplotlib" in sys.modules)
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["False", "True", "False"]
