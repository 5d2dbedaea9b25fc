"""Select the engine that runs the tasks of a search, by joblib's active backend.

A change here may not break that dask and ray are imported only if they are in use.
"""

from __future__ import annotations

from typing import Any

from joblib.parallel import get_active_backend

from sklearn_refine.evaluation._joblib import JoblibPool
from sklearn_refine.evaluation._pool import WorkerPool


def open_pool(
    n_jobs: int | None, pre_dispatch: Any, *, return_early: bool
) -> WorkerPool:
    """Return the workers that the context of the user asks for.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib.
    pre_dispatch : int or str
        Number of calls to dispatch in advance, as in joblib.
    return_early : bool
        Whether results are needed as soon as they exist.
    """
    backend, n_in_context = get_active_backend()
    name = type(backend).__name__
    if name == "DaskDistributedBackend":
        from sklearn_refine.evaluation._dask import DaskPool

        return DaskPool(
            backend, n_in_context if n_jobs is None else n_jobs, pre_dispatch
        )
    if name == "RayBackend":
        from sklearn_refine.evaluation._ray import RayPool

        # In a context without n_jobs, joblib reports 1 for ray. All workers are meant.
        n_jobs = n_in_context if n_jobs is None and n_in_context != 1 else n_jobs
        return RayPool(backend, n_jobs, pre_dispatch)
    return JoblibPool(n_jobs, pre_dispatch, return_early=return_early)
