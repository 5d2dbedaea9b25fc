"""Test curves of the expected score, also over depths and widths of layer sizes."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_refine.plotting._layers import split_layers
from sklearn_refine.plotting._surface import fit_curves
from sklearn_refine.results._table import read_results

SIZES = [(n,) for n in (4, 8, 16, 32)] + [(n, 16) for n in (4, 8, 16, 32)] + [(64,) * 3]


def results_of(sizes, score):
    scores = np.array([score(value) for value in sizes], dtype=float)
    params = [{"layers": value, "a": float(i % 3)} for i, value in enumerate(sizes)]
    return read_results({"params": params, "mean_test_score": scores})


@pytest.mark.parametrize(
    ("part", "sizes", "number", "expected"),
    [
        ("depth", (8, 4), 1.0, (8,)),
        ("depth", (8, 4), 3.0, (8, 4, 4)),
        ("depth", 8, 2.0, (8, 8)),
        ("width 1", (8, 4), 16.0, (16, 4)),
        ("width 2", (8, 4), 5.0, (8, 5)),
    ],
)
def test_layer_sizes_with_another_depth_or_width(part, sizes, number, expected):
    results = results_of(SIZES, len)
    parts = split_layers([results.parameter("layers")])
    (found,) = (each for each in parts if each.name == f"layers [{part}]")
    assert found.change(sizes, number) == expected


def test_curves_end_where_the_scores_do():
    x = np.arange(12.0)
    params = [{"x": value, "c": "abc"[int(value) % 3]} for value in x]
    scores = np.where((x > 8) | (x % 3 == 2), np.nan, x)
    results = read_results({"params": params, "mean_test_score": scores})
    curves = fit_curves(results, results.varying)
    assert curves["x"].x[[0, -1]].tolist() == [0.0, 7.0]
    assert curves["c"].x.tolist() == [0.0, 1.0]
    assert len(curves["c"].mean) == 2


def test_curves_over_depth_and_width():
    sizes = [(a, *b) for a in (4, 8, 16, 32, 64) for b in ((), (4,), (16,), (64,))]
    results = results_of(sizes, lambda s: np.log2(s[0]) - 3.0 * (len(s) - 1))
    curves = fit_curves(results, split_layers(results.varying))
    depth, first = curves["layers [depth]"], curves["layers [width 1]"]
    assert depth.x.tolist() == [1, 2]
    assert depth.mean[0] - depth.mean[1] == pytest.approx(3, abs=0.5)
    assert first.mean[-1] - first.mean[0] == pytest.approx(4, abs=0.5)
    second = curves["layers [width 2]"]
    assert np.ptp(second.mean) < 0.5
