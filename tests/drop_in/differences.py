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
LEVEL = (
    "to be mended: with n_rounds=1 the callback tree has the level 'round', which "
    "GridSearchCV's tree does not have."
)
ENDLESS = (
    "to be mended: fit never returns where a parameter of the estimator leads back "
    "to the estimator."
)

#: Differences on purpose.
BY_DESIGN = {
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

#: Differences that a user gains nothing from.
TO_BE_MENDED = {
    "test_empty_cv_iterator_error": Difference(
        "to be mended: the message does not begin with scikit-learn's message."
    ),
    **{
        f"test_metadata_routed_to_group_splitter[{search}]": Difference(
            ENDLESS, ">=1.9"
        )
        for search in ("GridSearchCV", "RandomizedSearchCV")
    },
    "test_random_search_bad_cv": Difference(
        "to be mended: the message has the wording of scikit-learn 1.8.", ">=1.9"
    ),
    "test_search_callbacks_with_partial_fit_failures": Difference(LEVEL, ">=1.9"),
    **{
        f"test_search_callbacks_{name}[{search}-{refit}]": Difference(LEVEL, ">=1.9")
        for name in ("no_propagation", "propagation")
        for search in ("search0", "search1")
        for refit in (True, False)
    },
}

DIFFERENCES = {**BY_DESIGN, **TO_BE_MENDED}
