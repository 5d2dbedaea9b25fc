"""A search as a study of Optuna, for the tools that show studies.

Optuna is imported only when a study is made.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Any

import numpy as np

from sklearn_refine.results._from_journal import as_search
from sklearn_refine.results._parameters import MISSING, Parameter
from sklearn_refine.results._table import find_metrics, read_search
from sklearn_refine.space._axes import value_key


def to_optuna(
    search: Any,
    *,
    metric: str | None = None,
    study_name: str | None = None,
    storage: Any = None,
    run: int | None = None,
) -> Any:
    """Return a search, or its journal, as an Optuna study.

    Optuna's plots and optuna-dashboard then show the search. Nothing is fitted, and
    the search is not changed. Needs Optuna: ``pip install sklearn-refine[optuna]``.

    Parameters
    ----------
    search : estimator, str or path-like
        Fitted search: any object with ``cv_results_``, including the searches of
        scikit-learn. Or the file that was passed to a search as `journal`, also while
        the search is running.
    metric : str, default=None
        Metric that is the objective, if the search has several. If None, the metric of
        `refit`.
    study_name : str, default=None
        Name of the study. If None, Optuna makes one up.
    storage : str or optuna.storages.BaseStorage, default=None
        Where Optuna keeps the study, such as ``"sqlite:///study.db"``. If None, in
        memory.
    run : int, default=None
        For a journal that holds several searches, the number of the search. If None,
        the search that was started or resumed last.

    Returns
    -------
    study : optuna.study.Study
        One trial per candidate, to be maximized. The objective has the name of the
        metric. Candidates that racing stopped are pruned trials. The score of each
        split is an intermediate value. `round`, `candidate` (the index in
        ``cv_results_``) and the means of other metrics are user attributes. Values
        other than numbers, strings, bools and None, such as layer sizes, are shown as
        text.

    Raises
    ------
    FileNotFoundError
        If there is no such journal.
    ImportError
        If Optuna is not installed.
    NotFittedError
        If the search is not fitted.
    TypeError
        If `search` is neither a search nor a path.
    ValueError
        If the search has no such metric, or has several and none is named.

    See Also
    --------
    search_report : A report as one HTML page, without another package.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import RefiningGridSearchCV, to_optuna
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = RefiningGridSearchCV(
    ...     Ridge(), {"alpha": [0.01, 0.1, 1.0]}, n_rounds=1
    ... ).fit(X, y)
    >>> study = to_optuna(search)
    >>> study.best_params
    {'alpha': 0.01}
    """
    try:
        import optuna
    except ImportError:
        raise ImportError(
            "to_optuna needs Optuna, which is not installed: "
            "pip install sklearn-refine[optuna]"
        ) from None
    search = as_search(search, run)
    results = read_search(search, metric)
    others = [m for m in find_metrics(search.cv_results_) if m != results.metric]
    states = {
        "complete": optuna.trial.TrialState.COMPLETE,
        "dropped": optuna.trial.TrialState.PRUNED,
        "paused": optuna.trial.TrialState.PRUNED,
        "failed": optuna.trial.TrialState.FAIL,
        "running": optuna.trial.TrialState.RUNNING,
    }
    study = optuna.create_study(
        storage=storage, study_name=study_name, direction="maximize"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([results.label])
    shown = [(p, _distribution(optuna, p)) for p in results.parameters]
    times = getattr(search, "candidate_times", np.full((len(results), 2), np.nan))
    for row in range(len(results)):
        state = states[results.status[row]]
        score = float(results.scores[row])
        is_set = [pair for pair in shown if pair[0].values[row] is not MISSING]
        attributes: dict[str, float] = {
            "candidate": row,
            "round": int(results.rounds[row]),
        }
        for name in others:
            attributes[name] = float(search.cv_results_[f"mean_test_{name}"][row])
        start, end = (_as_time(seconds) for seconds in times[row])
        trial = optuna.trial.FrozenTrial(
            number=row,
            trial_id=row,
            state=state,
            value=score if results.status[row] in ("complete", "dropped") else None,
            datetime_start=start,
            datetime_complete=end if state.is_finished() else None,
            params={p.name: _shown(p, p.values[row]) for p, _ in is_set},
            distributions={p.name: distribution for p, distribution in is_set},
            user_attrs=attributes,
            system_attrs={},
            intermediate_values={
                split: float(value)
                for split, value in enumerate(results.split_scores[row])
                if np.isfinite(value)
            },
        )
        study.add_trial(trial)
    return study


def _as_time(seconds: float) -> datetime:
    return datetime.now() if np.isnan(seconds) else datetime.fromtimestamp(seconds)


def _distribution(optuna: Any, parameter: Parameter) -> Any:
    """Return the range or the choices that the candidates of a search span."""
    if parameter.is_number:
        low, high = parameter.levels[0], parameter.levels[-1]
        make = optuna.distributions.FloatDistribution
        if parameter.is_integer:
            make = optuna.distributions.IntDistribution
        return make(low, high, log=parameter.kind == "log")
    choices = [_shown(parameter, level) for level in parameter.levels]
    return optuna.distributions.CategoricalDistribution(choices)


def _shown(parameter: Parameter, value: Any) -> Any:
    """Return a value as Optuna can keep it; objects as their label."""
    if parameter.is_number:
        return int(value) if parameter.is_integer else float(value)
    keys = [value_key(level) for level in parameter.levels]
    index = keys.index(value_key(value))
    level = parameter.levels[index]
    is_plain = level is None or isinstance(level, bool | int | float | str)
    return level if is_plain else parameter.labels[index]
