"""The rows that models of a stack read: in which order, and gathered how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sklearn_refine.evaluation._mlp_network import Array, Batch


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


@dataclass
class Stream:
    """Rows in the order in which some models see them, all the same ones.

    Attributes
    ----------
    X, y : ndarray of shape (n_samples, n_features) and (n_samples, n_outputs)
        Training rows and encoded targets.
    weight : ndarray of shape (n_samples,) or None
        Sample weights.
    held_out : HeldOut or None
        With `early_stopping`.
    rng : RandomState
        What shuffles the rows.
    """

    X: Array
    y: Array
    weight: Array | None
    held_out: HeldOut | None
    rng: np.random.RandomState
    order: Array = field(init=False)

    def __post_init__(self) -> None:
        self.order = np.arange(len(self.X), dtype=int)

    def encode(self, dtype: Any, softmax: bool) -> None:
        """Prepare the targets as the loss and its gradient need them."""
        self.targets = self.y.astype(dtype)
        self.classes = self.y.argmax(axis=1) if softmax else None

    def rows(self, start: int, stop: int, shuffled: bool) -> Any:
        """Return what indexes a stretch of the epoch's rows."""
        return self.order[start:stop] if shuffled else slice(start, stop)

    def restart(self) -> Stream:
        """Return the same rows, to be shuffled from the start."""
        return replace(self, rng=deepcopy(self.rng))


class Rows:
    """A stretch of an epoch's rows, gathered for all models of a stack."""

    def __init__(
        self,
        streams: Sequence[Stream],
        start: int,
        stop: int,
        shuffled: bool,
        buffers: dict[str, Array],
    ) -> None:
        self.streams, self.buffers = streams, buffers
        streams = distinct(streams)
        indices = [stream.rows(start, stop, shuffled) for stream in streams]
        self.X: dict[int, Array] = {}
        self.all_X: Array | None = None
        names = ("targets", "classes", "weight")
        self.shared = len(streams) == 1
        if self.shared:
            index, stream = indices[0], streams[0]
            self.X[id(stream)] = stream.X[index, ...]
            values = [getattr(stream, name) for name in names]
            self.parts = [None if v is None else v[None, index] for v in values]
            return
        self.parts = [self._gather(name, indices, stop - start) for name in names]
        if len(streams) == len(self.streams) and shuffled:
            self.all_X = self._gather("X", indices, stop - start)
        else:
            for stream, index in zip(streams, indices, strict=True):
                self.X[id(stream)] = stream.X[index, ...]

    def _gather(self, name: str, indices: Sequence[Any], n_rows: int) -> Array | None:
        """Return an array of all models' rows, of which the last may be unused."""
        first = getattr(self.streams[0], name)
        if first is None:
            return None
        if name not in self.buffers:
            shape = (len(self.streams), n_rows, *first.shape[1:])
            self.buffers[name] = np.empty(shape, first.dtype)
        found = self.buffers[name]
        parts = of_streams(self.streams)
        for (part, stream), index in zip(parts, indices, strict=True):
            values = getattr(stream, name)
            if isinstance(index, slice):
                found[part, : len(values[index])] = values[index]
                continue
            one = found[part.start, : len(index)]
            np.take(values, index, axis=0, out=one, mode="clip")  # no index is out
            found[part.start + 1 : part.stop, : len(index)] = one
        return found

    def batch(self, lo: int, hi: int, start: int, n_rows: int) -> Batch:
        """Return some rows of the stretch for some models."""
        rows = slice(start, start + n_rows)
        if self.all_X is not None:
            inputs = [(slice(0, hi - lo), self.all_X[lo:hi, rows])]
        else:
            parts = of_streams(self.streams[lo:hi])
            inputs = [(part, self.X[id(stream)][rows]) for part, stream in parts]
        models = slice(0, 1) if self.shared else slice(lo, hi)
        y, classes, weight = self.parts
        assert y is not None
        return Batch(
            inputs,
            y[models, rows],
            None if classes is None else classes[models, rows],
            None if weight is None else weight[models, rows],
        )


def distinct(streams: Sequence[Stream]) -> list[Stream]:
    """Return each stream once, in order."""
    return list({id(stream): stream for stream in streams}.values())


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
