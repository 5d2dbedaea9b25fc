"""Rounds of a proposer, played on a function of the parameters instead of models."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearn_refine._history import History, Round


class NoParameters:
    """What an axis asks for a default value, without any."""

    def get_params(self, deep=True):
        return {}


class AnyConstraint(dict):
    """Constraints under which every number, int or float, is legal."""

    def get(self, name, default=None):
        return [Interval(Real, None, None, closed="neither")]


class AnyNumber(NoParameters):
    """Declares every number as legal for every parameter."""

    _parameter_constraints = AnyConstraint()


def play(proposer, score, *, n_splits=1, seed=0):
    """Run all rounds of a proposer; return the history.

    A score is a number, or one for each split.
    """
    history = History(n_splits)
    rng = np.random.RandomState(seed)
    for most, limit in zip(proposer.plan(), proposer.limits(), strict=True):
        proposal = proposer.propose(history, limit, rng)
        n = len(proposal.candidates)
        if not n:
            break
        assert n <= most
        outcomes = [
            [
                {"test_scores": value, "fit_error": None, "fit_time": 0.0}
                for value in np.broadcast_to(score(c.params), n_splits).tolist()
            ]
            for c in proposal.candidates
        ]
        history.add_round(
            proposal.candidates, outcomes, Round(proposal.windows, n, n, 0.0)
        )
    return history
