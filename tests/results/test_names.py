"""Short names of parameters."""

import pytest

from sklearn_refine.results._names import short_names


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["C", "gamma"], ["C", "gamma"]),
        (["svc__C", "svc__gamma"], ["C", "gamma"]),
        (["a__C", "b__C", "b__gamma"], ["a__C", "b__C", "gamma"]),
        (["C", "svc__C"], ["C", "svc__C"]),
        (["x__a__s__k", "x__b__s__k"], ["a__k", "b__k"]),
        (["b__x", "a__b__x"], ["b__x", "a__x"]),
        (["a__b__x", "b__a__x"], ["a__b__x", "b__a__x"]),
        ([], []),
    ],
)
def test_what_tells_parameters_apart(names, short):
    assert short_names(names) == dict(zip(names, short, strict=True))
    assert len({*short_names(names).values()}) == len(names)
