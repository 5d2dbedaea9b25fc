"""
Toxicity: three sets of compounds, and why three
================================================

Does a compound disturb the signals of a cell? In Tox21 some 8000 compounds were
measured in twelve assays, though not each compound in all. The features are
fingerprints: the small groups of atoms of a compound, hashed to 1024 bits. A network
and a random forest are tuned here for two of the assays, with three sets of compounds:
one trains, one chooses among the candidates, one says how good the choice is. The
second half shows how biased the score is on the set that chose: the search overfits it.

The data are not part of this repository, so the output was recorded. To run the
example, save fingerprints as ``tox21_ecfp1024.npz``, in a folder ``data`` next to it or
in the folder that the environment variable ``SKLEARN_REFINE_DATA`` names. The arrays of
that file are ``indices``, ``indptr`` and ``shape`` of a CSR matrix of compounds by
bits, ``y`` with compounds by assays (1 active, 0 inactive, -1 not measured), and
``tasks`` with the names of the assays. They can be made from MoleculeNet's table of
Tox21 with rdkit: Morgan fingerprints of radius 2.
"""

# %%
# Reading the data
# ----------------
# Compounds with the same fingerprint, salts of one acid for example, count once.
# Otherwise some of the test set would be known from the training set.
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV

# The number of epochs is fixed and small.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

here = Path(__file__).parent if "__file__" in globals() else Path()
folder = Path(os.environ.get("SKLEARN_REFINE_DATA", here / "data"))
with np.load(folder / "tox21_ecfp1024.npz") as file:
    ones = np.ones(len(file["indices"]), dtype=np.float32)
    shape = tuple(file["shape"])
    BITS = csr_matrix((ones, file["indices"], file["indptr"]), shape).toarray()
    OUTCOMES = pd.DataFrame(file["y"], columns=file["tasks"])


def measured(assay):
    """Return the fingerprints and outcomes of what was measured in an assay."""
    y = OUTCOMES[assay].to_numpy()
    kept = np.flatnonzero(y >= 0)
    _, first = np.unique(BITS[kept], axis=0, return_index=True)
    kept = kept[np.sort(first)]
    return BITS[kept], y[kept]


print(f"{len(BITS)} compounds, {OUTCOMES.shape[1]} assays")

# %%
# .. code-block:: text
#
#    8006 compounds, 12 assays
#
# Three sets, each used for one thing
# -----------------------------------
# 60 % of the compounds train the candidates, 20 % choose one of them. The winner is
# then trained on both together, as ``refit`` does, and is asked once about the last
# fifth, which nothing before has seen. Few compounds are active, so accuracy would say
# little; the ROC AUC is the chance that an active compound is ranked above an inactive
# one.
searches = {
    "network": RefiningGridSearchCV(
        MLPClassifier(max_iter=10, batch_size=100, random_state=0),
        {
            "alpha": [0.01, 0.3, 10.0],
            "learning_rate_init": [1e-3, 1e-2],
            "hidden_layer_sizes": [(16,), (16, 16)],
        },
        n_rounds=2,
        bounds={"hidden_layer_sizes": (4, 32)},
    ),
    "forest": RefiningGridSearchCV(
        RandomForestClassifier(30, random_state=0),
        {"min_samples_leaf": [1, 4], "max_features": [0.01, 0.03]},
        n_rounds=2,
        bounds={"max_features": (0.01, 0.03)},
    ),
}


def bootstrap(y, *predictions):
    """Return the standard error of an AUC, or of the difference of two."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(200):
        part = rng.integers(len(y), size=len(y))
        if 0 < y[part].sum() < len(y):
            aucs = [
                roc_auc_score(y[part], predicted[part]) for predicted in predictions
            ]
            drawn.append(aucs[0] - sum(aucs[1:]))
    return np.std(drawn, ddof=1)


rows = []
for assay in ("SR-MMP", "NR-ER"):
    X, y = measured(assay)
    X_seen, X_test, y_seen, y_test = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=0
    )
    train, validation = train_test_split(
        np.arange(len(y_seen)), test_size=0.25, stratify=y_seen, random_state=0
    )
    predictions = []
    for name, search in searches.items():
        tuned = clone(search).set_params(
            cv=[(train, validation)], scoring="roc_auc", n_jobs=2
        )
        tuned.fit(X_seen, y_seen)
        predictions.append(tuned.predict_proba(X_test)[:, 1])
        rows.append(
            {
                "assay": assay,
                "compounds": len(y),
                "active": f"{y.mean():.1%}",
                "model": name,
                "candidates": len(tuned.cv_results_["params"]),
                "validation": tuned.best_score_,
                "test": roc_auc_score(y_test, predictions[-1]),
                "+-": bootstrap(y_test, predictions[-1]),
            }
        )
    difference = rows[-2]["test"] - rows[-1]["test"]
    error = bootstrap(y_test, *predictions)
    print(
        f"{assay}: network - forest, on the test set: {difference:+.3f} +- {error:.3f}"
    )

# %%
# .. code-block:: text
#
#    SR-MMP: network - forest, on the test set: +0.003 +- 0.013
#    NR-ER: network - forest, on the test set: -0.051 +- 0.017
#
# Validation and test scores differ by what a few hundred compounds leave open, which
# the standard errors (of a bootstrap of the test compounds) tell. Fingerprints suit a
# forest: the network, of this size and after so few epochs, is about as good on one
# assay, and worse on the other. The split is random, so relatives of a compound are on
# both sides of it, and new chemistry would be harder.
table = pd.DataFrame(rows)
print(table.to_string(index=False, float_format="%.3f"))

# %%
# .. code-block:: text
#
#     assay  compounds active   model  candidates  validation  test    +-
#    SR-MMP       5512  16.0% network          24       0.846 0.876 0.013
#    SR-MMP       5512  16.0%  forest           7       0.856 0.873 0.016
#     NR-ER       5885  12.6% network          24       0.727 0.677 0.025
#     NR-ER       5885  12.6%  forest           8       0.757 0.729 0.022
#
# The score that chose
# --------------------
# It is tempting to leave the test set out and to quote the score that chose. How wrong
# is that? A random search of 48 candidates trains on 500 compounds, and chooses by
# the validation score. After each candidate we note the best validation score so far,
# and what the candidate that has it does on the test set. The search does not see the
# latter. One partition would be an anecdote, so there are twelve, each a random one
# of all compounds; and the same again with ten times as many compounds for validation.
N_TRAIN, SIZES, N_CANDIDATES, N_PARTITIONS = 500, (100, 1000), 48, 12
FROM = 4  # a choice between fewer candidates is none
network = MLPClassifier((16,), max_iter=12, batch_size=100, random_state=0)
space = {
    "alpha": loguniform(1e-2, 3),
    "learning_rate_init": loguniform(1e-3, 3e-2),
    "activation": ["relu", "tanh"],
}


def best_so_far(seed, n_validation):
    """Return, after each candidate, the best score so far and its test score."""
    order = np.random.default_rng(seed).permutation(len(y))
    train, rest = order[:N_TRAIN], order[N_TRAIN:]
    validation, test = rest[:n_validation], rest[SIZES[-1] :]
    search = SuccessiveRandomSearchCV(
        network,
        space,
        n_iter=N_CANDIDATES,
        n_rounds=3,
        cv=[(train, validation)],
        scoring="roc_auc",
        refit=False,
        n_jobs=2,
        random_state=seed,
    ).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    best = [np.argmax(scores[:stop]) for stop in range(1, len(scores) + 1)]
    on_test = {}
    for number in set(best):
        model = clone(network).set_params(**search.cv_results_["params"][number])
        predicted = model.fit(X[train], y[train]).predict_proba(X[test])[:, 1]
        on_test[number] = roc_auc_score(y[test], predicted)
    return scores[best], [on_test[number] for number in best]


curves = {
    size: np.array([best_so_far(seed, size) for seed in range(N_PARTITIONS)])
    for size in SIZES
}
for size, curve in curves.items():
    gain = curve[:, :, -1] - curve[:, :, FROM - 1]
    error = gain.std(axis=0, ddof=1) / np.sqrt(N_PARTITIONS)
    print(
        f"{size} compounds for validation: gain of the validation score "
        f"{gain[:, 0].mean():.3f} (+- {error[0]:.3f}),\n"
        f"of the test score {gain[:, 1].mean():.3f} (+- {error[1]:.3f})"
    )

# %%
# .. code-block:: text
#
#    100 compounds for validation: gain of the validation score 0.077 (+- 0.013),
#    of the test score 0.016 (+- 0.010)
#    1000 compounds for validation: gain of the validation score 0.046 (+- 0.008),
#    of the test score 0.037 (+- 0.007)
#
# With 100 compounds, a dozen of them active, the validation score climbs as long as
# candidates are tried. Most of that is luck: the test score of the chosen candidates
# gains a fraction of it, and soon stays where it is. Thin lines are the partitions. In
# some, the search ends with a worse network than it had after four candidates, and
# reports a better score.
#
# With 1000 compounds both scores gain about the same, and the search is worth its time.
# How much of the climb is luck is itself uncertain. With other epochs, spaces and
# partitions of 100 compounds, the test score gained between a sixth and two thirds of
# what the validation score did. So choose with as many compounds as you can spare:
# cross-validation makes all of them choose. And judge with others.
import matplotlib.pyplot as plt

figure, panels = plt.subplots(
    1, 2, figsize=(10, 4.5), sharey=True, layout="constrained"
)
candidates = np.arange(1, N_CANDIDATES + 1)
for axes, (size, curve) in zip(panels, curves.items(), strict=True):
    for number, (name, color) in enumerate({"validation": "C1", "test": "C0"}.items()):
        gain = curve[:, number] - curve[:, number, [FROM - 1]]
        axes.plot(candidates, gain.T, color=color, linewidth=0.5, alpha=0.4)
        axes.plot(candidates, gain.mean(axis=0), color=color, linewidth=3, label=name)
    axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    axes.set(
        xlim=(FROM, N_CANDIDATES),
        ylim=(-0.07, 0.17),
        xlabel="candidates tried",
        title=f"{size} compounds choose",
    )
panels[0].set_ylabel(f"ROC AUC of the chosen one,\ngain since candidate {FROM}")
panels[0].legend(title="mean of the partitions", loc="upper left")
figure.suptitle(f"{assay}: the best of many, by the score that chose and by another")
plt.show()
# sphinx_gallery_thumbnail_path = "images/tox21.png"

# %%
# .. image:: /images/tox21.png
#    :alt: Gains of the validation score and of the test score, over candidates tried.
