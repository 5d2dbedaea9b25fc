"""
Nested cross-validation: how much the best score is biased
==========================================================

``best_score_`` is the largest of many noisy scores, so it is biased upwards: the search
overfits its splits. The bias grows with the number of candidates, and shrinks with the
number of rows. Nested cross-validation measures what a tuned model will do on new data:
each outer split holds back rows that its search never sees.
"""

# %%
# A search is an estimator, so it goes into ``cross_validate`` as any other. 150 tumours
# of the breast cancer data, a small network, and two sizes of search: the grid only,
# and the grid with two finer rounds.
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

warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_breast_cancer(return_X_y=True)
X, y = resample(X, y, n_samples=150, replace=False, stratify=y, random_state=0)
outer = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)


def nested(n_rounds):
    """Return, for each outer split, the best score inside and the score outside."""
    search = RefiningGridSearchCV(
        make_pipeline(
            StandardScaler(),
            MLPClassifier(max_iter=50, random_state=0),
        ),
        {
            "mlpclassifier__alpha": [1e-4, 1e-2, 1.0],
            "mlpclassifier__learning_rate_init": [1e-3, 1e-2, 1e-1],
            "mlpclassifier__hidden_layer_sizes": [(8,), (16,)],
        },
        n_rounds=n_rounds,
        cv=5,
    )
    found = cross_validate(search, X, y, cv=outer, return_estimator=True, n_jobs=2)
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
