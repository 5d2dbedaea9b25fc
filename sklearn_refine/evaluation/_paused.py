"""Fits that have paused in this process, until a race decides whether they go on.

A fit that goes on in another process, or whose state was dropped, is trained again from
the start. A change here may change the time of fits, but no result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pickle import PickleBuffer, Pickler
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

#: Most memory of the paused fits of a process.
MAX_BYTES = 1 << 28


#: A race, a candidate and a split.
Key = tuple[str | None, int, int]


@dataclass(frozen=True)
class Pause:
    """How a fit takes part in a race over iterations.

    Attributes
    ----------
    candidate : int
        The index of the candidate that the fit trains.
    name : str
        The parameter of the last step with the number of iterations.
    n_iter : int
        The number of iterations.
    is_partial : bool
        Whether the fit ends at a pause; if not, it is the whole fit of its candidate.
    """

    candidate: int
    name: str
    n_iter: int
    is_partial: bool


class Paused(Protocol):
    """A fit that can go on."""

    @property
    def state(self) -> Any:
        """The object in which the fit is paused; several fits may have the same."""
        ...


PausedFit = TypeVar("PausedFit", bound=Paused)


class PausedFits(Generic[PausedFit]):
    """Paused fits by candidate and split; the oldest are dropped if memory is short."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._fits: dict[Key, tuple[PausedFit, float]] = {}
        self._n_bytes = 0.0
        self._lock = Lock()

    def put(self, key: Key, paused: PausedFit, n_bytes: float) -> None:
        """Keep a paused fit."""
        if n_bytes > self._max_bytes:
            return
        with self._lock:
            self._remove(key)
            self._fits[key] = paused, n_bytes
            self._n_bytes += n_bytes
            while self._n_bytes > self._max_bytes:
                self._remove(next(iter(self._fits)))

    def take(self, keys: Mapping[int, Key]) -> dict[int, PausedFit]:
        """Return the fits that are here, and forget all that share their state.

        So nobody else can change the state meanwhile.
        """
        with self._lock:
            taken = {i: self._fits[k][0] for i, k in keys.items() if k in self._fits}
            states = {id(paused.state) for paused in taken.values()}
            for key, (paused, _) in list(self._fits.items()):
                if id(paused.state) in states:
                    self._remove(key)
            return taken

    def keep_only(self, race: str | None) -> None:
        """Forget the fits of all races but one."""
        with self._lock:
            for key in [key for key in self._fits if key[0] != race]:
                self._remove(key)

    def _remove(self, key: Key) -> None:
        _, n_bytes = self._fits.pop(key, (None, 0.0))
        self._n_bytes -= n_bytes


PAUSED: PausedFits[Any] = PausedFits()


def estimate_memory(thing: Any) -> float:
    """Return about how many bytes an object takes, infinity if it cannot be told."""
    if hasattr(thing, "n_bytes"):
        return float(thing.n_bytes())
    counter = _Counter()
    try:
        Pickler(counter, 5, buffer_callback=counter.add).dump(thing)
    except Exception:
        return inf
    return counter.n_bytes


class _Counter:
    """A file that counts what is written to it."""

    n_bytes = 0.0

    def write(self, data: Any) -> None:
        self.n_bytes += len(data)

    def add(self, buffer: PickleBuffer) -> None:
        self.n_bytes += buffer.raw().nbytes
