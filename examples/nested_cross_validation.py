"""
How much the best score flatters itself: nested cross-validation
================================================================

``best_score_`` is the largest of many noisy scores, and therefore too good, the more so
the more candidates a search tries and the fewer rows there are. What a tuned model will
do on new data is measured by a loop around the whole search: each outer split holds
rows back that its search never sees.
"""

# %%
# A search is an estimator, so it goes into ``cross_validate`` as any other. 150 tumours
# of the breast cancer data, a small network, and two sizes of search: the grid only,
# and the grid with two finer rounds.
import sys
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import resample

from sklearn_refine import RefiningGridSearchCV

SMOKE = "--smoke" in sys.argv  # a few seconds, for CI
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_breast_cancer(return_X_y=True)
X, y = resample(X, y, n_samples=150, replace=False, stratify=y, random_state=0)
outer = RepeatedStratifiedKFold(
    n_splits=3 if SMOKE else 5, n_repeats=1 if SMOKE else 2, random_state=0
)


def nested(n_rounds):
    """Return, for each outer split, the best score inside and the score outside."""
    search = RefiningGridSearchCV(
        make_pipeline(
            StandardScaler(),
            MLPClassifier(max_iter=5 if SMOKE else 50, random_state=0),
        ),
        {
            "mlpclassifier__alpha": [1e-4, 1e-2, 1.0],
            "mlpclassifier__learning_rate_init": [1e-3, 1e-2, 1e-1],
            "mlpclassifier__hidden_layer_sizes": [(8,), (16,)],
        },
        n_rounds=n_rounds,
        cv=5,
    )
    found = cross_validate(
        search, X, y, cv=outer, return_estimator=True, n_jobs=1 if SMOKE else 2
    )
    inside = np.array([fitted.best_score_ for fitted in found["estimator"]])
    return inside, found["test_score"]


scores = {n_rounds: nested(n_rounds) for n_rounds in (1, 3)}
for n_rounds, (inside, outside) in scores.items():
    gap = inside - outside
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    print(
        f"{n_rounds} round(s): best score inside {inside.mean():.3f}, outside "
        f"{outside.mean():.3f}, difference {gap.mean():.3f} (+- {error:.3f}; the outer "
        "splits share rows, so the true error is larger)"
    )

# %%
# Each line is one outer split. Most fall from left to right.
import matplotlib.pyplot as plt

figure, panels = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
for axes, (n_rounds, (inside, outside)) in zip(panels, scores.items(), strict=True):
    axes.plot([0, 1], [inside, outside], color="0.7", marker="o", markersize=4)
    means = [inside.mean(), outside.mean()]
    axes.plot([0, 1], means, color="C0", marker="s", linewidth=2, label="mean")
    axes.set_xticks([0, 1], ["best_score_\nof the search", "held-out\nrows"])
    axes.set_xlim(-0.3, 1.3)
    axes.set_title("GridSearchCV's grid" if n_rounds == 1 else "with two finer rounds")
    axes.legend(loc="lower left")
panels[0].set_ylabel("accuracy")
plt.show()
