"""The rows that models of a stack read: in which order, and gathered how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from sklearn_refine.mlp._arrays import Array, aligned
from sklearn_refine.mlp._network import Batch

T = TypeVar("T")


@dataclass(frozen=True)
class HeldOut:
    """The rows that `early_stopping` sets aside.

    Attributes
    ----------
    X, y, weight : ndarray
        As in `Stream`.
    target : ndarray
        What `y` encodes.
    """

    X: Array
    y: Array
    weight: Array | None
    target: Array


class Order:
    """The order in which rows are seen, shuffled before each epoch.

    Parameters
    ----------
    rng : RandomState
        What shuffles.
    n_rows : int
        How many rows there are.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,)
        Which of them is seen first, second, and so on.
    """

    def __init__(self, rng: np.random.RandomState, n_rows: int) -> None:
        self.rng = rng
        self.rows = np.arange(n_rows)

    def shuffle(self) -> None:
        """Shuffle as ``sklearn.utils.shuffle`` draws."""
        index = np.arange(len(self.rows))
        self.rng.shuffle(index)
        self.rows = self.rows[index]

    def restart(self) -> Order:
        """Return the order at the start, with a generator of its own."""
        return Order(deepcopy(self.rng), len(self.rows))


@dataclass
class Stream:
    """Rows in the order in which some models see them, all the same ones.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features or n_features + 1)
        Training rows; see `with_ones`.
    y : ndarray of shape (n_samples, n_outputs)
        Encoded targets.
    weight : ndarray of shape (n_samples,) or None
        Sample weights.
    held_out : HeldOut or None
        With `early_stopping`.
    order : Order
        In which the rows are seen; the same object for streams that start alike.
    """

    X: Array
    y: Array
    weight: Array | None
    held_out: HeldOut | None
    order: Order

    def encode(self, dtype: Any, softmax: bool) -> None:
        """Prepare the targets as the loss and its gradient need them."""
        self.targets = self.y.astype(dtype)
        self.classes = self.y.argmax(axis=1) if softmax else None


class Rows:
    """A stretch of an epoch's rows, gathered for all models of a stack.

    Parameters
    ----------
    streams : sequence of Stream
        What each model reads.
    start, stop : int
        Which rows of the epoch, the last of them beyond the end of some streams.
    shuffled : bool
        Whether the order of the rows changes; else they are gathered only once.
    buffers : dict
        Where to; for stretches that are gathered one after the other.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        start: int,
        stop: int,
        shuffled: bool,
        buffers: dict[str, Array],
    ) -> None:
        self.start, self.stop = start, stop
        self.shuffled = shuffled
        self.parts = of_streams(streams)
        self.one_stream = len(self.parts) == 1
        n_streams = len(self.parts)
        self.alone = len(streams) == n_streams and n_streams > 1
        first = streams[0]
        self.found = {}
        for name in ("X", "targets", "classes", "weight"):
            values = getattr(first, name)
            if values is None:
                continue
            n = n_streams if name == "X" or self.one_stream else len(streams)
            shape = (n, stop - start, *values.shape[1:])
            if not shuffled:  # gathered once, so that it needs room of its own
                if name != "X":  # which is read in place, in its own order
                    self.found[name] = aligned(shape, values.dtype)
                continue
            if name not in buffers:
                buffers[name] = aligned(shape, values.dtype)
            self.found[name] = buffers[name][:, : shape[1]]
        if not shuffled:
            self._gather()

    def gather(self) -> None:
        """Fetch the rows of this epoch."""
        if self.shuffled:
            self._gather()

    def _gather(self) -> None:
        for i, (models, stream) in enumerate(self.parts):
            if self.shuffled:
                index = stream.order.rows[self.start : self.stop]
            else:
                index = np.arange(self.start, min(self.stop, len(stream.X)))
            n = len(index)
            for name, found in self.found.items():
                each = name == "X" or self.one_stream
                target = found[i if each else models.start, :n]
                # No index is out of bounds; "clip" only saves numpy a copy.
                values = getattr(stream, name)
                np.take(values, index, axis=0, out=target, mode="clip")
                if not each:
                    found[models.start + 1 : models.stop, :n] = target

    def batch(self, lo: int, hi: int, start: int, n_rows: int) -> Batch:
        """Return some rows of the stretch for some models: views, valid for good."""
        rows = slice(start, start + n_rows)
        if self.shuffled and self.alone:
            inputs = [(slice(0, hi - lo), self.found["X"][lo:hi, rows])]
        else:
            inputs = [
                (
                    slice(max(part.start, lo) - lo, min(part.stop, hi) - lo),
                    (self.found["X"][i] if self.shuffled else stream.X[self.start :])[
                        rows
                    ],
                )
                for i, (part, stream) in enumerate(self.parts)
                if part.start < hi and part.stop > lo
            ]
        models = slice(0, 1) if self.one_stream else slice(lo, hi)
        y, classes, weight = (
            None if (found := self.found.get(name)) is None else found[models, rows]
            for name in ("targets", "classes", "weight")
        )
        assert y is not None
        return Batch(inputs, y, classes, weight)


WIDEST = 100  # features; for more, a product gains too little from a column of ones


def with_ones(X: Array) -> Array:
    """Return a copy of rows that ends with a column of ones, if there are few.

    With it, the product of the rows and a layer's weights has the intercepts in it.
    Rows that do not lie one after another are returned as they are: unless they are
    shuffled, BLAS makes other products of them. So is a single column: the products of
    a vector depend on where it lies.
    """
    n_rows, n_features = X.shape
    if not 1 < n_features <= WIDEST or not X.flags.c_contiguous:
        return X
    rows = aligned((n_rows, n_features + 1), X.dtype)
    rows[:, :-1] = X
    rows[:, -1] = 1
    return rows


def distinct(objects: Sequence[T]) -> list[T]:
    """Return each object once, in order."""
    return list({id(each): each for each in objects}.values())


def target_dtype(y: Array, dtype: Any) -> Any:
    """Return the type in which a prediction minus `y` is computed."""
    return dtype if y.dtype == bool else np.result_type(dtype, y.dtype)


def runs(values: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yield where equal values stand side by side."""
    start = 0
    for i in range(1, len(values) + 1):
        if i == len(values) or values[i] != values[start]:
            yield start, i
            start = i


def of_streams(streams: Sequence[Stream]) -> list[tuple[slice, Stream]]:
    found = runs([id(stream) for stream in streams])
    return [(slice(lo, hi), streams[lo]) for lo, hi in found]
