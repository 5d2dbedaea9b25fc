"""Parameters and notes of a journal, read from their text without running anything.

Numbers, strings, None and containers of these become Python objects. Anything else,
such as an estimator, stays text.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator
from typing import Any

MAX_LITERAL_LENGTH = 20_000  # longer text stays text
_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_CONSTANTS = {"None": None, "True": True, "False": False}
_OPENING = {"(": ")", "[": "]", "{": "}"}


def read_value(text: str) -> Any:
    """Return the value that a text describes, or the text itself."""
    if text in _NUMBERS:
        return _NUMBERS[text]
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    starts_literal = text[:1].isdigit() or text[:1] in ("-", "'", '"', "(", "[", "{")
    if not (starts_literal or text[:2] in ("b'", 'b"')):
        return text
    if len(text) > MAX_LITERAL_LENGTH:
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def read_params(text: str) -> dict[str, Any]:
    """Return the parameters of a candidate from their text, by name."""
    whole = read_value(text)
    if isinstance(whole, dict):
        return {str(name): value for name, value in whole.items()}
    if not (text.startswith("{") and text.endswith("}")):
        return {}
    params = {}
    for item in split_text(text[1:-1], ","):
        name, *value = split_text(item, ":")
        if value:
            params[str(read_value(name))] = read_value(":".join(value).strip())
    return params


def split_text(text: str, separator: str) -> Iterator[str]:
    """Yield the parts between separators that are in no quotes and no brackets."""
    depth, start, quote = 0, 0, ""
    skip = False
    for position, character in enumerate(text):
        if skip:
            skip = False
        elif quote:
            skip = character == "\\"
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _OPENING.values():
            depth -= 1
        elif character == separator and depth == 0:
            yield text[start:position].strip()
            start = position + 1
    if text[start:].strip():
        yield text[start:].strip()


def read_facts(text: str) -> dict[str, Any]:
    """Return the facts of a note; none if it is not one of ours."""
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
