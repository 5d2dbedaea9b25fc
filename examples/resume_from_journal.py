"""
Resume a search after a crash
=============================

A search with ``journal=`` writes each fit to a file, a checkpoint, as soon as it is
finished. After a crash, the same script resumes the search from there. Here a time
budget stops it after a few seconds. A closed laptop or ``kill -9`` would leave the same
file.
"""

# %%
# A network for handwritten digits, 27 candidates, then two finer rounds.
import tempfile
import warnings
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV, read_journal

warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
network = MLPClassifier(max_iter=60, random_state=0)
folder = tempfile.TemporaryDirectory()
journal = Path(folder.name) / "digits.db"


def make_search(**options):
    """Return the search; what `options` change is not part of its identity."""
    return RefiningGridSearchCV(
        make_pipeline(StandardScaler(), network),
        {
            "mlpclassifier__alpha": [1e-4, 1e-2, 1.0],
            "mlpclassifier__learning_rate_init": [1e-4, 1e-3, 1e-2],
            "mlpclassifier__hidden_layer_sizes": [(16,), (32,), (16, 16)],
        },
        cv=3,
        journal=journal,
        **options,
    )


# %%
# The first session may take three seconds. No fit is started that would not be done.
first = make_search(n_jobs=1, n_rounds=3, time_budget=3)
first.fit(X_train, y_train)
print("The first session ended because of:", first.stop_reason_)
print("candidates that are complete:", len(first.cv_results_["params"]))
print("fits in the journal:", len(read_journal(journal)))

# %%
# The second session has no such limit, and both cores. It reads back what is there.
second = make_search(n_jobs=2).fit(X_train, y_train)
fits = read_journal(journal)
made = fits.groupby("session").size()
print("The second session ended because of:", second.stop_reason_)
print(f"{second.n_fits_} fits in all; made by each session: {made.to_dict()}")
print("best:", second.best_params_)
print(f"accuracy on held-out digits: {second.score(X_test, y_test):.3f}")

# %%
# The journal as a picture: when each fit was finished, in which session, and how good.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
start = fits["finished"].min()
for (session, part), marker in zip(fits.groupby("session"), "os", strict=False):
    seconds = (part["finished"] - start).dt.total_seconds()
    axes.scatter(seconds, part["test_score"], marker=marker, label=f"session {session}")
axes.set(xlabel="seconds after the first fit", ylabel="accuracy on one split")
axes.set_title("Fits as they were finished: two sessions, one search")
axes.legend(loc="lower right")
plt.show()
folder.cleanup()
