"""The pictures of the user guide, drawn when the site is built.

Run as a script, it draws the one of the README again: docs/images/rounds.png.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from scipy.stats import loguniform
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sklearn_refine import (
    RefiningGridSearchCV,
    SearchLandscapeDisplay,
    SuccessiveRandomSearchCV,
)

X, y = load_diabetes(return_X_y=True)
PIPE = make_pipeline(StandardScaler(), SVR())
C, GAMMA = "svr__C", "svr__gamma"


def grid():
    """The windows of three rounds of the grid search, over a dense grid."""
    search = RefiningGridSearchCV(
        PIPE, {C: [0.1, 1.0, 10.0], GAMMA: [1e-3, 1e-2, 1e-1]}, n_centers=1
    ).fit(X, y)
    values = {C: np.geomspace(0.05, 2e3, 13), GAMMA: np.geomspace(5e-4, 2, 11)}
    dense = RefiningGridSearchCV(PIPE, values, n_rounds=1, refit=False).fit(X, y)
    scores = dense.cv_results_["mean_test_score"].reshape(13, 11)
    levels = [-0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.48, 0.5]

    figure, panels = _panels("C", "gamma")
    for number, axes in enumerate(panels, start=1):
        filled = axes.contourf(
            values[C],
            values[GAMMA],
            scores.T,
            levels=levels,
            extend="min",
            cmap="cividis",
        )
        axes.set(xscale="log", yscale="log", xlim=(0.05, 2e3), ylim=(5e-4, 2))
        _candidates_and_windows(axes, search, number, lambda value, _: value)
    panels[0].legend(loc="upper right", fontsize="small")
    figure.colorbar(filled, ax=panels, label="mean R2 of five splits")
    return figure


def random():
    """The windows of three rounds of the random search, in quantiles."""
    space = {C: loguniform(0.1, 1e3), GAMMA: loguniform(1e-3, 1.0)}
    search = SuccessiveRandomSearchCV(
        PIPE, space, n_iter=27, n_rounds=3, n_centers=1, random_state=0
    ).fit(X, y)

    def quantile(value, name):
        return space[name].cdf(np.asarray(value, dtype=float))

    _, panels = _panels("quantile of C (its value)", "quantile of gamma")
    for number, axes in enumerate(panels, start=1):
        _candidates_and_windows(axes, search, number, quantile)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        for axis, name in ((axes.xaxis, C), (axes.yaxis, GAMMA)):
            quantiles = [0, 0.5, 1]
            values = space[name].ppf(quantiles)
            labels = [
                f"{q:g} ({float(f'{value:.2g}'):g})"
                for q, value in zip(quantiles, values, strict=True)
            ]
            axis.set_ticks(quantiles, labels)
    panels[0].legend(loc="lower left", fontsize="small")


#: The time of a grid, from the table of docs/benchmarks/index.md.
RATIOS = {
    "random forest": 7.2,
    "decision tree": 2.6,
    "gradient boosting": 2.7,
    "histogram boosting": 2.7,
    "XGBoost": 2.4,
    "LightGBM": 1.7,
    "nearest neighbours": 8.5,
    "logistic regression": 4.4,
    "SVM of three kernels": 2.0,
    "text Pipeline": 8.7,
    "MLP of (15, 10) units": 6.1,
    "Ridge, nothing to share": 1.0,
}


def sharing():
    """The time of grids of several models, as a share of GridSearchCV's."""
    _, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    names = list(RATIOS)[::-1]
    shares = [1 / RATIOS[name] for name in names]
    bars = axes.barh(names, shares, color="C0")
    labels = [f"{RATIOS[name]:.1f} times as fast" for name in names]
    axes.bar_label(bars, labels, padding=4)
    axes.axvline(1, color="0.4", linestyle="--")
    axes.set(xlim=(0, 1.35), xlabel="time (GridSearchCV = 1)")


def _panels(across, up):
    figure, panels = plt.subplots(
        1, 3, figsize=(11, 3.8), sharey=True, layout="constrained"
    )
    for number, axes in enumerate(panels, start=1):
        axes.set(title=f"round {number}", xlabel=across)
    panels[0].set_ylabel(up)
    return figure, panels


def _candidates_and_windows(axes, search, number, place):
    """Draw the candidates up to a round, that round's windows, and the best so far."""
    display = SearchLandscapeDisplay.from_search(search, [C, GAMMA], draw=False)
    tried = display.frame().query("round <= @number")
    x, y = place(tried[C], C), place(tried[GAMMA], GAMMA)
    new = tried["round"] == number
    style = {"linestyle": "none", "markeredgecolor": "black"}
    axes.plot(x[~new], y[~new], "o", color="0.6", label="tried before", **style)
    axes.plot(x[new], y[new], "o", color="white", label="this round", **style)
    best = tried["score"].idxmax()
    star = {"marker": "*", "markersize": 16, "color": "C3", "label": "best so far"}
    axes.plot(x[best], y[best], **star, **style)
    for window in display.windows:
        if window.round != number:
            continue
        left, right = place(np.array(window.x), C)
        low, high = place(np.array(window.y), GAMMA)
        corner, size = (left, low), (right - left, high - low)
        axes.add_patch(Rectangle(corner, *size, fill=False, linewidth=1.5))


# The site's builder runs this file as a main module too, but without a file.
if __name__ == "__main__" and "__file__" in globals():
    images = Path(__file__).parents[1] / "images"
    images.mkdir(exist_ok=True)
    grid().savefig(images / "rounds.png", dpi=90)
