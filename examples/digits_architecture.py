"""
How deep, how wide: the architecture of a network for digits
============================================================

``layer_sizes`` is a distribution over ``hidden_layer_sizes``: the number of layers and
the units of each. ``SuccessiveRandomSearchCV`` searches over it together with the
penalty and the learning rate, within a time budget. The five best settings are then
trained again, and compared on digits that the search has not seen.
"""

# %%
# Three parameters. ``hidden_layer_sizes`` holds between one and three widths.
import warnings

import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import SuccessiveRandomSearchCV, layer_sizes

warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.4, stratify=y, random_state=0
)
network = MLPClassifier(max_iter=40, random_state=0)
search = SuccessiveRandomSearchCV(
    make_pipeline(StandardScaler(), network),
    {
        "mlpclassifier__hidden_layer_sizes": layer_sizes(depth=(1, 3), width=(8, 128)),
        "mlpclassifier__alpha": loguniform(1e-5, 10),
        "mlpclassifier__learning_rate_init": loguniform(1e-4, 1e-1),
    },
    n_iter=48,
    cv=3,
    n_jobs=2,
    time_budget=30,
    random_state=0,
)
search.fit(X_train, y_train)
print("ended because of:", search.stop_reason_)
print(search.rounds_[["n_candidates", "best_so_far", "seconds"]].round(3).to_string())

# %%
# The five best, each trained on all training rows with five seeds. A difference
# that is smaller than the spread over seeds says nothing.
results = pd.DataFrame(search.cv_results_)
best = results.nlargest(5, "mean_test_score")
rows = []
for params, mean, std in zip(
    best["params"], best["mean_test_score"], best["std_test_score"], strict=True
):
    model = clone(search.estimator).set_params(**params)
    scores = [
        model.set_params(mlpclassifier__random_state=seed)
        .fit(X_train, y_train)
        .score(X_test, y_test)
        for seed in range(5)
    ]
    rows.append(
        {
            "layers": str(params["mlpclassifier__hidden_layer_sizes"]),
            "alpha": params["mlpclassifier__alpha"],
            "rate": params["mlpclassifier__learning_rate_init"],
            "cv": mean,
            "cv_error": std / np.sqrt(search.n_splits_),
            "held_out": np.mean(scores),
            "seeds": np.std(scores, ddof=1),
        }
    )
table = pd.DataFrame(rows)
print(table.to_string(index=False, float_format="%.4f"))

# %%
# The settings differ by less than the noise, so any of them would do. On new digits
# they are a little better than in the search, although the best of many scores is too
# good: the last fit had half as many rows again.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
position = np.arange(len(table))
axes.errorbar(
    table["cv"], position + 0.1, xerr=table["cv_error"], fmt="o", label="in the search"
)
axes.errorbar(
    table["held_out"],
    position - 0.1,
    xerr=table["seeds"],
    fmt="s",
    label="held out, mean of seeds",
)
axes.set_yticks(position, table["layers"])
axes.invert_yaxis()
axes.set(xlabel="accuracy", ylabel="hidden layers")
axes.set_title("The five best settings, in the search and on new digits")
figure.legend(loc="outside lower center", ncols=2)
plt.show()
