"""The pictures of the page "Displays", drawn when the site is built.

Run as a script, it draws the comparison with Optuna again, which needs Optuna:
docs/images/displays_optuna.png.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_diabetes
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVR

from sklearn_refine import (
    ParallelCoordinateDisplay,
    ParameterImportanceDisplay,
    SearchHistoryDisplay,
    SearchLandscapeDisplay,
    SearchSliceDisplay,
    SuccessiveRandomSearchCV,
)

X, y = load_diabetes(return_X_y=True)
PIPE = make_pipeline(StandardScaler(), SVR())
SPACE = {
    "standardscaler": [StandardScaler(), MinMaxScaler()],
    "svr__C": loguniform(0.1, 1e3),
    "svr__gamma": loguniform(1e-4, 1.0),
    "svr__epsilon": uniform(0.01, 20.0),
    "svr__shrinking": [True, False],
}


@cache
def search():
    """The search of the page."""
    options = {"n_iter": 60, "random_state": 0, "racing": False}
    return SuccessiveRandomSearchCV(PIPE, SPACE, **options).fit(X, y)


@cache
def plain_search():
    """A random search without rounds, to compare with."""
    return RandomizedSearchCV(PIPE, SPACE, n_iter=60, random_state=0).fit(X, y)


def history():
    SearchHistoryDisplay.from_search(search(), score_name="R²")


def comparison():
    first = SearchHistoryDisplay.from_search(search(), name="rounds")
    SearchHistoryDisplay.from_search(plain_search(), name="no rounds", ax=first.ax_)


def slices():
    SearchSliceDisplay.from_search(search(), score_name="R²")


def landscape():
    SearchLandscapeDisplay.from_search(
        search(), ["svr__C", "svr__gamma"], score_name="R²"
    )


def importance():
    ParameterImportanceDisplay.from_search(search(), score_name="R²")


def parallel():
    ParallelCoordinateDisplay.from_search(search(), score_name="R²", top=15)


def beside_optuna():
    """The same search, drawn by this package on the left and by Optuna on the right."""
    import optuna.visualization.matplotlib as theirs

    from sklearn_refine import to_optuna

    study = to_optuna(search())
    pair = ["svr__C", "svr__gamma"]
    pictures = [
        (history, lambda: theirs.plot_optimization_history(study)),
        (landscape, lambda: theirs.plot_contour(study, pair)),
        (importance, lambda: theirs.plot_param_importances(study)),
    ]
    figure, panels = plt.subplots(
        len(pictures), 2, figsize=(11, 12), layout="constrained"
    )
    for row, drawings in zip(panels, pictures, strict=True):
        for panel, draw in zip(row, drawings, strict=True):
            panel.imshow(_rendered(draw))
            panel.axis("off")
    panels[0, 0].set_title("sklearn_refine")
    panels[0, 1].set_title("Optuna")
    return figure


def _rendered(draw):
    """Return what a function draws as an image."""
    with plt.rc_context():  # Optuna changes the style
        draw()
        figure = plt.gcf()
        figure.set_dpi(110)
        figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba()).copy()
    plt.close(figure)
    return image


# The site's builder runs this file as a main module too, but without a file.
if __name__ == "__main__" and "__file__" in globals():
    images = Path(__file__).parents[1] / "images"
    beside_optuna().savefig(images / "displays_optuna.png", dpi=75)
