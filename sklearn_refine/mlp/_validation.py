"""Held-out rows of early stopping: how they are drawn, and how models are scored.

Draws and scores must equal scikit-learn's, because they decide when training stops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sklearn_refine.mlp._arrays import Array
from sklearn_refine.mlp._rows import HeldOutRows, Permutation, TrainingRows


def hold_out(
    model: Any, X: Any, y: Any, weight: Any, rng: np.random.RandomState
) -> TrainingRows:
    """Hold rows out for early stopping, drawn as scikit-learn draws them."""
    is_classifier = isinstance(model, MLPClassifier)
    arrays = [X, y] if weight is None else [X, y, weight]
    parts = train_test_split(
        *arrays,
        random_state=rng,
        test_size=model.validation_fraction,
        stratify=y if is_classifier and y.shape[1] == 1 else None,
    )
    X_train, X_held, y_train, y_held = parts[:4]
    if len(X_held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    target = y_held
    if is_classifier:
        target = model._label_binarizer.inverse_transform(y_held)
    weight_train, weight_held = parts[4:] if weight is not None else (None, None)
    held_out = HeldOutRows(X_held, y_held, weight_held, target)
    permutation = Permutation(rng, len(X_train))
    return TrainingRows(X_train, y_train, weight_train, held_out, permutation)


def compute_validation_score(model: Any, held_out: HeldOutRows, output: Array) -> Any:
    """Return the score that the model's own early stopping would compute."""
    if model.loss != "log_loss":
        prediction = output.ravel() if output.shape[1] == 1 else output
        if not np.isfinite(prediction).all():
            return np.nan
        return r2_score(held_out.target, prediction, sample_weight=held_out.weight)
    if held_out.weight is None and len(model.classes_) > 1:
        # The accuracy of encoded labels is the accuracy of the labels, and faster.
        if model.out_activation_ == "softmax":
            correct = output.argmax(axis=1) == held_out.y.argmax(axis=1)
        else:
            correct = ((output > 0.5) == held_out.y).all(axis=1)
        return float(np.average(correct))
    output = output.ravel() if output.shape[1] == 1 else output
    labels = model._label_binarizer.inverse_transform(output)
    return accuracy_score(held_out.target, labels, sample_weight=held_out.weight)
