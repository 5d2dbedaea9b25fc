"""Keep experiment trackers from logging the fits inside a search.

MLflow's autologging replaces the ``fit`` of estimators. It knows scikit-learn's own
searches, and logs none of the fits inside them. It has no public way to add another
search. Each fit of a candidate would become a run, or would write its parameters into
the run of the user. The logged parameters would then be those of the first candidate.

A change here may not break that MLflow is never imported here, and that autologging is
as it was once the last search of the process has left.
"""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from typing import Any

#: MLflow's own switch. Autologging cannot be on unless this module was imported.
_MLFLOW_MODULE = "mlflow.utils.autologging_utils"


class _AutologgingPause:
    """A context in which autologging is off, in all threads of the process.

    MLflow's ``disable_autologging`` has one flag for the process. Whoever leaves it
    first turns autologging on again, although a search in another thread, or a search
    around this one, may still be running. This class counts them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._paused = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._n_inside += 1
            if self._n_inside == 1:
                _pause_mlflow(self._paused)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._paused.close()


def _pause_mlflow(paused: ExitStack) -> None:
    """Turn MLflow's autologging off until `paused` is closed."""
    mlflow: Any = sys.modules.get(_MLFLOW_MODULE)
    # Leaving MLflow's context would end the one that the user is in.
    if getattr(mlflow, "_AUTOLOGGING_GLOBALLY_DISABLED", False):
        return
    if disable := getattr(mlflow, "disable_autologging", None):
        paused.enter_context(disable())


#: The only pause of the process; searches may nest, or run in several threads.
autologging_paused = _AutologgingPause()
