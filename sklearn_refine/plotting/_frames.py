"""Build the tables that the displays return from `frame`.

Column names and dtypes are part of the public interface of the displays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.results._table import Results


def candidates_frame(results: Results) -> pd.DataFrame:
    """Return a table with one row per candidate: its round, status and score."""
    return pd.DataFrame(
        {
            "round": results.rounds,
            "status": results.status,
            "score": results.scores,
        },
        index=pd.RangeIndex(len(results), name="candidate"),
    )


def free_column_name(name: str, taken: Sequence[str]) -> str:
    """Return a column name for a parameter, prefixed with ``param_`` if it is taken."""
    while name in taken:
        name = f"param_{name}"
    return name


def object_array(values: Sequence[Any]) -> np.ndarray:
    """Return values of any type as a 1-D array of objects.

    ``np.array`` would turn a list of tuples into a 2-D array.
    """
    array = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        array[index] = value
    return array
