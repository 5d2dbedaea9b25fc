"""The tests of scikit-learn that these searches fail, and the reason for each.

The key is the name of the test, with its parameters. Each of these tests must fail: if
one passes, the lane fails, and its entry is removed here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """A test that is expected to fail.

    Attributes
    ----------
    reason : str
        What differs, in one sentence.
    versions : str
        The versions of scikit-learn whose test fails, as a version specifier. The empty
        string stands for all supported versions.
    """

    reason: str
    versions: str = ""


ORDER = (
    "RandomizedSearchCV tries a space that it exhausts in the order of the grid; "
    "the first round here is a Sobol design, which has a random order."
)

#: Differences on purpose.
DIFFERENCES = {
    "test_random_search_bad_cv": Difference(
        "The message has the wording of scikit-learn 1.9.", "<1.9"
    ),
    "test_custom_run_search": Difference(
        "The test compares all public attributes; these searches have more of them, "
        "such as n_rounds_ and rounds_."
    ),
    "test_search_cv_results_rank_tie_breaking": Difference(ORDER),
    "test_search_cv_timing": Difference(ORDER),
    "test_search_default_iid[RandomizedSearchCV-specialized_params1]": Difference(
        ORDER
    ),
    "test_search_with_2d_array": Difference(
        "The test expects the draws of RandomizedSearchCV; the first round here is a "
        "Sobol design, which has other draws."
    ),
}
