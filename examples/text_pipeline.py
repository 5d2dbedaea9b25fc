"""
Text: the work that candidates share is done once
=================================================

In a Pipeline whose first steps are slow and the same for all candidates,
``GridSearchCV`` fits these steps again for each of them. Here they are fitted once for
each split, without a cache on the disk, and with the same scores.

The texts are the docstrings of scikit-learn itself, which every reader has installed:
each paragraph of a class or function, to be assigned to the subpackage it is from.
"""

# %%
# Paragraphs of the subpackages with the most of them.
import inspect
import time
from collections import Counter

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.discovery import all_estimators, all_functions

from sklearn_refine import RefiningGridSearchCV

texts, labels = [], []
for _, thing in sorted([*all_estimators(), *all_functions()]):
    for paragraph in (inspect.getdoc(thing) or "").split("\n\n"):
        if len(paragraph) > 80:
            texts.append(paragraph)
            labels.append(thing.__module__.split(".")[1])
common = {label for label, _ in Counter(labels).most_common(8)}
kept = [i for i, label in enumerate(labels) if label in common]
kept = kept[::2]
texts, labels = [texts[i] for i in kept], [labels[i] for i in kept]
print(f"{len(texts)} paragraphs of {len(common)} subpackages")

# %%
# Sixteen penalties of a linear classifier on character n-grams, with and without
# sharing. Both searches run on one core, in turn.
pipeline = make_pipeline(
    TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=3),
    SGDClassifier(random_state=0),
)
grid = {"sgdclassifier__alpha": np.geomspace(1e-6, 1e-2, 16).tolist()}
seconds, scores = {}, {}
for share in (False, True):
    search = RefiningGridSearchCV(
        pipeline, grid, cv=3, n_rounds=1, share_work=share, refit=False
    )
    start = time.perf_counter()
    search.fit(texts, labels)
    seconds[share] = time.perf_counter() - start
    scores[share] = search.cv_results_["mean_test_score"]
print("the same scores:", (scores[False] == scores[True]).all())
print(f"{seconds[False]:.1f} s and {seconds[True]:.1f} s")
print(f"{seconds[False] / seconds[True]:.1f} times as fast")

# %%
# What is saved are the transformations of 15 of the 16 candidates.
import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
bars = left.barh(["one by one", "shared"], seconds.values(), color=["0.6", "C0"])
left.bar_label(bars, fmt="%.1f s", padding=3)
left.set(xlabel="seconds", title="Time of the search")
left.margins(x=0.2)
right.semilogx(grid["sgdclassifier__alpha"], scores[False], "o", color="0.6")
right.semilogx(grid["sgdclassifier__alpha"], scores[True], "x", color="C0")
right.set(xlabel="alpha", ylabel="accuracy", title="The scores are identical")
plt.show()
