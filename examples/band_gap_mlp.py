"""
Band gaps: a sequence of grids in one fit
=========================================

How wide is the band gap of an inorganic compound, given averages over its elements?
A small neural network is often tuned by hand for this: a coarse grid over the penalty
and the learning rate, a finer grid around the best point, then the sizes of the layers.
``RefiningGridSearchCV`` does this in one fit, with all three parameters together.
"""

# %%
# The data
# --------
# Some formulas describe the same composition (SeTe, Se0.5Te0.5). Each composition is
# kept once, so that no compound of the test set is known from the training set. No
# search sees the test set, a fifth of the compounds.
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split

folder = Path(__file__).parent if "__file__" in globals() else Path()
table = pd.read_csv(folder / "data" / "band_gap.csv.gz")
features = [column for column in table if column.startswith("avg_")]
table = table.drop_duplicates(subset=features)
X, y = table[features], table["band_gap_eV"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
print(f"{len(X)} compounds, {X.shape[1]} features, {len(X_train)} for the searches")

# %%
# The model and its grid
# ----------------------
# A network on standardized features that predicts a standardized gap. Few epochs keep
# the example short, so the networks stop before they converge.
import warnings

from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV

warnings.filterwarnings("ignore", category=ConvergenceWarning)
network = MLPRegressor(max_iter=30, random_state=0)
model = TransformedTargetRegressor(
    regressor=Pipeline([("scale", StandardScaler()), ("mlp", network)]),
    transformer=StandardScaler(),
)
ALPHA = "regressor__mlp__alpha"
RATE = "regressor__mlp__learning_rate_init"
LAYERS = "regressor__mlp__hidden_layer_sizes"
grid = {
    ALPHA: [1e-4, 1e-2, 1.0],
    RATE: [1e-4, 1e-3, 1e-2],
    LAYERS: [(16,), (64,), (32, 16)],
}

# %%
# ``bounds`` says how far later rounds may go. ``plan`` counts the fits before any is
# run.
bounds = {ALPHA: (1e-5, 10.0), RATE: (1e-5, 0.1), LAYERS: (8, 128)}
common = {
    "scoring": "neg_mean_absolute_error",
    "cv": KFold(3, shuffle=True, random_state=0),
    "n_jobs": -1,
}
refining = RefiningGridSearchCV(model, grid, max_candidates=18, bounds=bounds, **common)
plan = refining.plan(X_train, y_train)
print(plan.to_string())

# %%
# Three searches
# --------------
# ``GridSearchCV`` stops after the coarse grid, with fewer fits.
# ``SuccessiveRandomSearchCV`` has distributions instead of lists, and as many fits as
# ``RefiningGridSearchCV``.
import time

from scipy.stats import loguniform
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV

from sklearn_refine import SuccessiveRandomSearchCV, layer_sizes

distributions = {
    ALPHA: loguniform(*bounds[ALPHA]),
    RATE: loguniform(*bounds[RATE]),
    LAYERS: layer_sizes(depth=(1, 2), width=bounds[LAYERS]),
}
n_iter = int(plan["n_candidates"].sum())
searches = [
    GridSearchCV(model, grid, **common),
    refining,
    SuccessiveRandomSearchCV(
        model, distributions, n_iter=n_iter, random_state=0, **common
    ),
]
rows = []
for search in searches:
    start = time.perf_counter()
    search.fit(X_train, y_train)
    row = {
        "search": type(search).__name__,
        "CV error": -search.best_score_,
        "test error": mean_absolute_error(y_test, search.predict(X_test)),
        "fits": len(search.cv_results_["params"]) * search.n_splits_,
        "seconds": round(time.perf_counter() - start, 1),
    }
    rows.append(row | {"layers": search.best_params_[LAYERS]})
print("Mean absolute errors in eV:")
print(pd.DataFrame(rows).to_string(index=False, float_format="%.3f"))

# %%
# The cross-validated error is the smallest of many, so it is biased downwards. The test
# error is not. The split is random, and alloys of one series lie on both sides of it:
# the errors of a new chemistry would be larger. One split and one seed do not tell
# which of two close searches is better.
#
# What the rounds did
# -------------------
# The note says where a window moved beyond the edge of the grid.
shown = ["n_candidates", "n_fits", "best_score", "best_so_far", "note"]
print(refining.rounds_[shown].round(3).to_string())

# %%
# ``windows_`` has the range of each numeric parameter, for each round and each center.
windows = refining.windows_
windows = windows.assign(parameter=windows["parameter"].str.split("__").str[-1])
shown = ["round", "center", "parameter", "low", "high"]
last = windows[windows["round"] == windows["round"].max()].dropna(subset=["low"])
print(last[shown].to_string(index=False, float_format="{:.1e}".format))

# %%
# The smallest error so far, over the fits that it took. The first candidates are far
# off, and are cut off here.
import matplotlib.pyplot as plt
import numpy as np

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for search, line in zip(searches, ("-", "--", "-."), strict=True):
    best_so_far = np.fmax.accumulate(search.cv_results_["mean_test_score"])
    fits = search.n_splits_ * np.arange(1, len(best_so_far) + 1)
    axes.step(fits, -best_so_far, line, where="post", label=type(search).__name__)
lowest = min(-search.best_score_ for search in searches)
axes.set(ylim=(0.97 * lowest, 1.25 * lowest))
axes.set(xlabel="fits", ylabel="smallest CV error so far, eV")
axes.set_title("Band gaps: what further rounds are worth")
axes.legend()
if "__file__" in globals():  # run as a script: there may be no screen
    figure.savefig("band_gap.png")
    print("The picture is in band_gap.png.")
plt.show()
