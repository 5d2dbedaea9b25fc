"""Copies of data that several candidates read.

A candidate may change its data in place. A change here may not break that copies are
laid out in memory like their originals, because sums of their numbers round alike.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from scipy import sparse

#: Types of immutable values, which need no copy.
PLAIN_TYPES = (bool, int, float, str, type(None))


def copy_data(data: Any) -> Any:
    """Return a copy of shared data, for a candidate that may change it in place."""
    if isinstance(data, np.ndarray) and data.dtype != object:
        return _copy_array(data)
    if isinstance(data, list | np.ndarray):
        is_plain = all(type(value) in PLAIN_TYPES for value in data)
        return data.copy() if is_plain else deepcopy(data)
    for name in ("copy", "clone"):  # pandas and scipy; polars
        if hasattr(data, name):
            return getattr(data, name)()
    return deepcopy(data)


def _copy_array(array: np.ndarray) -> np.ndarray:
    """Return a copy with the same layout in memory."""
    if array.flags.forc:
        copied = array.copy(order="K")
    else:
        sizes = zip(array.shape, array.strides, strict=True)
        ends = [(n - 1) * step for n, step in sizes]
        first = -sum(min(end, 0) for end in ends)
        n_bytes = first + sum(max(end, 0) for end in ends) + array.itemsize
        buffer = np.empty(n_bytes if array.size else 0, np.uint8)
        copied = np.ndarray(array.shape, array.dtype, buffer, first, array.strides)
        copied[...] = array
    copied.flags.writeable = array.flags.writeable
    return copied


def may_share_memory(a: Any, b: Any) -> bool:
    """Whether changing one of two data sets in place may change the other."""
    if a is b or not (hasattr(a, "shape") and hasattr(b, "shape")):
        return a is b
    a, b = (rows.data if sparse.issparse(rows) else rows for rows in (a, b))
    return np.may_share_memory(np.asarray(a), np.asarray(b))
