"""What changes scores and is set outside the search: scikit-learn and its settings.

The minor version counts, since it may change an algorithm or a default. Patch
versions, numpy and scipy are recorded with each session only: an update of them is
meant to change nothing but rounding. The settings are those of
``sklearn.get_config()``.
"""

from __future__ import annotations

import json

import sklearn

_VERSION = "scikit-learn"

#: Settings that no fit and no metric reads. All others are part of a run, also settings
#: that a later scikit-learn adds. `working_memory` and the settings of pairwise
#: distances are meant for speed, but they change the last bits of distances, and these
#: decide between neighbors at equal distance.
UNRELATED_SETTINGS = {
    "display": "the HTML representation of estimators",
    "print_changed_only": "the text representation of estimators",
}


def describe_environment() -> str:
    """Return the minor version of scikit-learn and its settings, as JSON."""
    settings = sklearn.get_config()
    for name in UNRELATED_SETTINGS:
        settings.pop(name, None)
    version = ".".join(sklearn.__version__.split(".")[:2])
    return json.dumps({_VERSION: version, **settings}, sort_keys=True, default=repr)


def describe_change(before: str, now: str) -> str:
    """Return what differs between two environments, for a message.

    A setting that only one of two versions of scikit-learn has is left out.

    Parameters
    ----------
    before : str
        As `describe_environment` returned it, or any text, since a file holds it.
    now : str
        As `describe_environment` returned it.
    """
    try:
        old = json.loads(before)
    except (ValueError, RecursionError):
        old = None
    if not isinstance(old, dict):
        return "a version and settings that are not recorded"
    # The representations are compared, since True == 1 in Python.
    changes = [
        f"{name}={old[name]!r:.100} (now {value!r})"
        for name, value in json.loads(now).items()
        if name in old and repr(old[name]) != repr(value)
    ]
    return ", ".join(changes) or "other settings"
