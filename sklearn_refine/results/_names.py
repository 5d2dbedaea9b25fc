"""Short names of parameters, for tables, labels and legends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return the shortest name of each parameter that tells it from the others.

    The last part of a name is kept, such as ``C`` of ``svc__C``. If several names end
    alike, the nearest step that differs is kept too.

    Parameters
    ----------
    names : iterable of str
        Full names of the parameters that are shown together.

    Returns
    -------
    short : dict of str to str
        The short name of each full name, in the same order. No two are equal.
    """
    parts = {name: name.split("__") for name in names}
    return {
        name: next(
            (
                "__".join(form)
                for form in _forms(own)
                if not any(
                    _may_mean(form, other)
                    for key, other in parts.items()
                    if key != name
                )
            ),
            name,
        )
        for name, own in parts.items()
    }


def _forms(parts: list[str]) -> Iterator[list[str]]:
    """Yield shortened names: the last part, then also one step, the nearest first."""
    yield parts[-1:]
    for step in reversed(parts[:-1]):
        yield [step, parts[-1]]


def _may_mean(form: list[str], parts: list[str]) -> bool:
    """Whether a shortened name could stand for this full name too."""
    return form[-1] == parts[-1] and set(form[:-1]) <= set(parts[:-1])
