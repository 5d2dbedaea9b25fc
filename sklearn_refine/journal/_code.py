"""Names of functions and classes, with a digest of the source that users may change.

Equal code must give equal text in every process. Code of installed libraries is known
by its name alone, so that an update of a library does not end a run.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import sysconfig
import types
from typing import Any

import numpy as np
from scipy import special

_LIBRARIES = tuple({sysconfig.get_path(k) for k in ("stdlib", "purelib", "platlib")})
_CONSTANTS = (int, float, str, tuple)


class UnknownIdentityError(ValueError):
    """A value that another process could not recognize as the same."""


def digest(data: Any) -> str:
    """Return the BLAKE2 digest of bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def describe_ufunc(value: np.ufunc, path: str) -> str:
    """Return the name of a ufunc of numpy or scipy, which has no module."""
    name = value.__name__
    if not any(getattr(home, name, None) is value for home in (np, special)):
        raise UnknownIdentityError(f"{path} is a ufunc of neither numpy nor scipy")
    return f"ufunc {name}"


def name_of(value: Any, path: str = "value") -> str:
    """Return the name of a function or class, and a digest of source of the user."""
    name = getattr(value, "__qualname__", value.__name__)
    if "<" in name:
        what = (
            "a lambda" if "<lambda>" in name else f"defined inside a function ({name})"
        )
        raise UnknownIdentityError(f"{path} is {what}")
    return f"{public_module(value)}.{name}{_source_digest(value)}"


def public_module(value: Any) -> str:
    """Return the module without private parts, since libraries rename these."""
    parts = str(value.__module__).split(".")
    return ".".join(
        part for part in parts if not part.startswith("_") or part == "__main__"
    )


@functools.lru_cache(maxsize=256)
def _source_digest(value: Any) -> str:
    """Return a digest of the source, or "" for code of an installed library.

    The digest of a class includes the classes that it inherits from.
    """
    sources = map(_read_source, value.__mro__ if isinstance(value, type) else [value])
    found = "".join(filter(None, sources))
    return f"@{digest(found.encode())[:8]}" if found else ""


def _read_source(value: Any) -> str:
    """Return the source, or the bytecode if the code was typed at a prompt."""
    try:
        file = inspect.getsourcefile(value) or ""
        if (
            file.startswith(_LIBRARIES)
            or public_module(value).split(".")[0] == "sklearn_refine"
        ):
            return ""
        return inspect.getsource(value)
    except (TypeError, OSError):
        return _describe_compiled(value)


def _describe_compiled(value: Any) -> str:
    """Describe Python functions and classes by bytecode and plain attributes."""
    if isinstance(value, types.FunctionType):
        defaults = value.__defaults__, value.__kwdefaults__
        return f"{_describe_bytecode(value.__code__)}{defaults!r}"
    if isinstance(value, property):
        value = [f for f in (value.fget, value.fset, value.fdel) if f]
        return "".join(map(_describe_compiled, value))
    if isinstance(value, staticmethod | classmethod):
        return _describe_compiled(value.__func__)
    if isinstance(value, type):
        members = {
            name: _describe_compiled(held)
            for name, held in vars(value).items()
            # Constants such as __module__ and __firstlineno__ depend on the place.
            if not (name.startswith("__") and isinstance(held, _CONSTANTS))
        }
        return "".join(f"{name}:{code}" for name, code in members.items() if code)
    return repr(value) if isinstance(value, _CONSTANTS) else ""


def _describe_bytecode(code: types.CodeType) -> str:
    constants = [
        _describe_bytecode(constant)
        if isinstance(constant, types.CodeType)
        else repr(
            sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant
        )
        for constant in code.co_consts
    ]
    return f"{code.co_code.hex()}{code.co_names}{code.co_varnames}{constants}"


def class_name(cls: type) -> str:
    """Return the bare name of a scikit-learn class, or else the full name."""
    name = name_of(cls)
    return cls.__name__ if name.startswith("sklearn.") else name
