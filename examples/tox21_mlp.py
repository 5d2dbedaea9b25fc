"""
Toxicity: three sets of compounds, and why three
================================================

Does a compound disturb the signals of a cell? In Tox21 some 8000 compounds were
measured in twelve assays, not each of them in all. The features are fingerprints: which
of the small groups of atoms a compound has, hashed to 1024 bits. A network and a random
forest are tuned here for two of the assays, with three sets of compounds: one trains,
one chooses among the candidates, one says how good the choice is. The second half shows
what a score is worth that came from the set that chose.

The data are not part of this repository. Give ``--data`` MoleculeNet's `tox21.csv.gz`,
a path or its address,
https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/tox21.csv.gz (its fingerprints
are then made by rdkit, ``pip install rdkit``), or an .npz file of fingerprints, whose
arrays ``read_npz`` names. Without ``--data``, files of these names are looked for in
the folder `data` beside this script, or in the one that the environment variable
``SKLEARN_REFINE_DATA`` gives.
"""

# %%
# Reading the data
# ----------------
import argparse
import os
import sys
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

parser = argparse.ArgumentParser(description="Tune classifiers of toxic compounds.")
parser.add_argument("--data", metavar="PATH", help="tox21.csv.gz, or an .npz file")
parser.add_argument("--smoke", action="store_true", help="a few seconds, for CI")
args = parser.parse_args()
SMOKE = args.smoke
N_BITS = 1024
NAMES = ("tox21_ecfp1024.npz", "tox21.csv.gz")
ADDRESS = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/tox21.csv.gz"
# The number of epochs is fixed and small.
warnings.filterwarnings("ignore", category=ConvergenceWarning)


def find_data():
    """Return the path of the data, from --data or the folder for such files."""
    if args.data is not None:
        return args.data
    here = Path(__file__).parent if "__file__" in globals() else Path()
    folder = Path(os.environ.get("SKLEARN_REFINE_DATA", here / "data"))
    for name in NAMES:
        if (folder / name).exists():
            return str(folder / name)
    return sys.exit(
        f"No {' or '.join(NAMES)} in {folder}. The data are not part of the "
        f"repository. Download MoleculeNet's table from {ADDRESS}, and give its path "
        "with --data, or put it into that folder. Making its fingerprints needs rdkit: "
        "pip install rdkit."
    )


def read_npz(path):
    """Return bits and outcomes from an .npz file.

    `indices`, `indptr` and `shape` are those of a CSR matrix of ones, compounds by
    bits; `y` holds compounds by assays, 1 active, 0 inactive, -1 not measured; `tasks`
    names the assays.
    """
    with np.load(path) as file:
        ones = np.ones(len(file["indices"]), dtype=np.float32)
        bits = csr_matrix(
            (ones, file["indices"], file["indptr"]), shape=tuple(file["shape"])
        )
        return bits.toarray(), pd.DataFrame(file["y"], columns=file["tasks"])


def read_csv(path):
    """Return bits and outcomes from MoleculeNet's table, in the form of the .npz file.

    It has a column of 1, 0 or nothing for each assay, and the columns `mol_id` and
    `smiles`. The bits are Morgan fingerprints of radius 2.
    """
    try:
        from rdkit import Chem, RDLogger
        from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
    except ImportError as error:
        raise ImportError(
            f"The fingerprints of {path} are made by rdkit, which is not installed: "
            "pip install rdkit"
        ) from error
    RDLogger.DisableLog("rdApp.*")  # a line for each odd valence
    table = pd.read_csv(path)
    molecules = [Chem.MolFromSmiles(smiles) for smiles in table["smiles"]]
    readable = np.array([molecule is not None for molecule in molecules])
    if not readable.all():
        print(f"{(~readable).sum()} SMILES that rdkit cannot read are left out")
    generator = GetMorganGenerator(radius=2, fpSize=N_BITS)
    bits = [generator.GetFingerprintAsNumPy(m) for m in molecules if m is not None]
    outcomes = table.loc[readable].drop(columns=["mol_id", "smiles"])
    return np.array(bits, dtype=np.float32), outcomes.fillna(-1).astype(int)


def measured(assay):
    """Return the fingerprints and outcomes of what was measured in an assay.

    Compounds with the same fingerprint, salts of one acid for example, count once:
    otherwise some of the test set would be known from the training set.
    """
    y = OUTCOMES[assay].to_numpy()
    kept = np.flatnonzero(y >= 0)
    _, first = np.unique(BITS[kept], axis=0, return_index=True)
    kept = kept[np.sort(first)]
    return BITS[kept], y[kept]


path = find_data()
BITS, OUTCOMES = read_npz(path) if path.endswith(".npz") else read_csv(path)
print(f"{len(BITS)} compounds, {OUTCOMES.shape[1]} assays")

# %%
# Three sets, each used for one thing
# -----------------------------------
# 60 % of the compounds train the candidates, 20 % choose one of them. The winner is
# then trained on both together, as ``refit`` does, and is asked once about the last
# fifth, which nothing before has seen. Few compounds are active, so accuracy would say
# little; the ROC AUC is the chance that an active compound is ranked above an inactive
# one.
searches = {
    "network": RefiningGridSearchCV(
        MLPClassifier(max_iter=2 if SMOKE else 10, batch_size=100, random_state=0),
        {
            "alpha": [0.01, 0.3, 10.0],
            "learning_rate_init": [1e-3, 1e-2],
            "hidden_layer_sizes": [(16,), (16, 16)],
        },
        n_rounds=1 if SMOKE else 2,
        bounds={"hidden_layer_sizes": (4, 32)},
    ),
    "forest": RefiningGridSearchCV(
        RandomForestClassifier(5 if SMOKE else 30, random_state=0),
        {"min_samples_leaf": [1, 4], "max_features": [0.01, 0.03]},
        n_rounds=1 if SMOKE else 2,
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
    if SMOKE:
        X, y = X[:500], y[:500]
    X_seen, X_test, y_seen, y_test = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=0
    )
    train, validation = train_test_split(
        np.arange(len(y_seen)), test_size=0.25, stratify=y_seen, random_state=0
    )
    predictions = []
    for name, search in searches.items():
        tuned = clone(search).set_params(
            cv=[(train, validation)], scoring="roc_auc", n_jobs=1 if SMOKE else 2
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
# Validation and test scores differ by what a few hundred compounds leave open, which
# the standard errors (of a bootstrap of the test compounds) tell. Fingerprints suit a
# forest: the network, of this size and after so few epochs, is about as good on one
# assay, and worse on the other. The split is random, so relatives of a compound are on
# both sides of it, and new chemistry would be harder.
table = pd.DataFrame(rows)
print(table.to_string(index=False, float_format="%.3f"))

# %%
# The score that chose
# --------------------
# It is tempting to leave the test set out and to quote the score that chose. How wrong
# is that? A random search of 48 candidates trains on 500 compounds, and chooses by
# the validation score. After each candidate we note the best validation score so far,
# and what the candidate that has it does on the test set. The search does not see the
# latter. One partition would be an anecdote, so there are twelve, each a random one
# of all compounds; and the same again with ten times as many compounds for validation.
N_TRAIN, SIZES, N_CANDIDATES, N_PARTITIONS = 500, (100, 1000), 48, 12
if SMOKE:
    N_TRAIN, SIZES, N_CANDIDATES, N_PARTITIONS = 100, (60, 120), 6, 2
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
        n_jobs=1 if SMOKE else 2,
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
        f"{size} compounds for validation: from {FROM} to {N_CANDIDATES} candidates, "
        f"the validation score gains {gain[:, 0].mean():.3f} (+- {error[0]:.3f}), "
        f"the test score {gain[:, 1].mean():.3f} (+- {error[1]:.3f})"
    )

# %%
# With 100 compounds, of which a dozen are active, the validation score climbs as long
# as candidates are tried, and most of that is luck: the test score of those that it
# chooses gains a fraction of it and soon stays where it is. Thin lines are the
# partitions: in some, the search ends with a worse network than it had after four
# candidates, and reports a better score. With 1000 compounds both gain about the same,
# and the search is worth its time. How much of the climb is luck is itself
# uncertain: with other epochs, spaces and partitions, 100 compounds each, the test
# score gained between a sixth and two thirds of what the validation score did. So
# choose with as many compounds as you can spare (cross-validation makes all of them
# choose), and judge with others.
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
figure.suptitle(f"{assay}: the best of many, seen by those who chose it and by others")
plt.show()
