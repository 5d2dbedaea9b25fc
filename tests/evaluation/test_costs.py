"""Predicted times of fits grow with model sizes and follow measured times."""

import numpy as np

from sklearn_refine.evaluation._costs import CostModel


def test_larger_networks_are_expected_to_take_longer():
    costs = CostModel(20)
    small, large = ({"m__hidden_layer_sizes": size} for size in ((5,), (300, 100)))
    assert np.diff(costs.predict([small, large])) > 0
    assert np.diff(costs.predict([{"max_iter": 10}, {"max_iter": 1000}])) > 0


def test_measured_times_count_if_parameters_agree():
    costs = CostModel(20)
    costs.add_time({"kind": "slow", "a": 1}, 10.0)
    costs.add_time({"kind": "fast", "a": 1}, 0.1)
    kinds = [{"kind": "slow", "a": 2}, {"kind": "fast", "a": 3}, {"kind": "other"}]
    slow, fast, other = costs.predict(kinds)
    assert slow > 5 > fast
    assert 0.1 < other < 10
