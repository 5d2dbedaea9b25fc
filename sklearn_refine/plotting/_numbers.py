"""Numbers and durations as text for readers."""

from __future__ import annotations

import math


def round_to_error(value: float, error: float) -> str:
    """Return a number with the digits that its standard error leaves certain.

    The error has two digits. Without an error, the number has four.
    """
    if not _has_error(value, error):
        return f"{value:.4g}"
    return f"{value:.{_decimals(error)}f}"


def with_error(value: float, error: float) -> str:
    """Return a number and its standard error, such as ``0.592 ± 0.014``."""
    if not _has_error(value, error):
        return f"{value:.4g}"
    decimals = _decimals(error)
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def short_number(value: float) -> str:
    """Return a number with three digits, such as ``0.0316``, ``1000`` or ``1e-05``."""
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < 1e7 else text


def _has_error(value: float, error: float) -> bool:
    """Whether a standard error is known and larger than rounding."""
    return math.isfinite(value) and math.isfinite(error) and error > 1e-12 * abs(value)


def _decimals(error: float) -> int:
    """Return the number of decimals that shows two digits of an error."""
    return max(0, 1 - math.floor(math.log10(error)))


def duration_text(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 0.001:
        return "under 1 ms"
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def rough_duration(seconds: float) -> str:
    """Return an age or the time left, such as ``12 s``, ``3 min`` or ``2 h 5 min``."""
    seconds = max(0.0, seconds)
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"
