"""Text that says what a value is, equal in every process that has the same value.

Pure. The text identifies a run in a journal, and a candidate in a run; it is made from
what a value holds, never from a pickle.
"""

from __future__ import annotations

import copyreg
import functools
import hashlib
import inspect
import io
import sysconfig
import types
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse, special
from scipy.stats import rv_continuous, rv_discrete, rv_histogram

from sklearn_refine._sklearn_compat import clones_itself, kept_by_clone

_LIBRARIES = tuple({sysconfig.get_path(k) for k in ("stdlib", "purelib", "platlib")})
_LONGEST = 120  # characters of a string, or numbers of an array, that are written out


class UnknownIdentityError(ValueError):
    """A value that another process could not recognise as the same."""


def fingerprint(parts: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits that are equal for equal parts.

    Parameters
    ----------
    parts : mapping of str to object
        What decides the results of a run, by names that an error may use.

    Returns
    -------
    digest : str

    Raises
    ------
    UnknownIdentityError
        If a part holds something that has no name and no content, such as a lambda.
    """
    text = "\n".join(f"{name}: {describe(parts[name], name)}" for name in sorted(parts))
    return digest(text.encode())


def digest(data: Any) -> str:
    """Return the BLAKE2 digest of bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def describe(value: Any, path: str = "value") -> str:
    """Return a readable text that is equal for equal values.

    Numbers, strings, containers and estimators are written out; long strings and
    arrays by size and digest; functions and classes by their full name and, where they
    are not of an installed library, a digest of their source. What an estimator was
    fitted to counts where `clone` keeps it.

    Parameters
    ----------
    value : object
        Anything that can be told apart by content or by name.
    path : str, default="value"
        What an error calls the value.

    Returns
    -------
    text : str

    Raises
    ------
    UnknownIdentityError
        As `fingerprint`.
    """
    return _describe(value, path, _Above())


class _Above(NamedTuple):
    """What a value lies in, by id, and whether `clone` leaves all of it as it is.

    If so, the attributes of an estimator count, and not only its parameters: it may be
    fitted, and stay so.
    """

    ids: tuple[int, ...] = ()
    kept: bool = False


def _describe(value: Any, path: str, above: _Above) -> str:
    if isinstance(value, np.generic) and not isinstance(value, np.void):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, complex)):
        return repr(value)
    if isinstance(value, (str, bytes)):
        return _of_text(value)
    if id(value) in above.ids:
        raise UnknownIdentityError(f"{path} holds itself")
    above = above._replace(ids=(*above.ids, id(value)))
    for known in (_of_container, _of_array, _of_code, _of_object):
        text = known(value, path, above)
        if text is not None:
            return text
    raise UnknownIdentityError(f"{path}={value!r} has neither a name nor a content")


def _is_plain(value: Any) -> bool:
    """Whether its repr is its text, which is most of what a candidate holds."""
    kind = type(value)
    if kind is str:
        return len(value) <= _LONGEST
    return kind is float or kind is int or kind is bool or value is None


def _of_text(value: str | bytes) -> str:
    if len(value) <= _LONGEST:
        return repr(value)
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return f"{type(value).__name__}({len(value)}, {digest(data)})"


def _of_container(value: Any, path: str, above: _Above) -> str | None:
    if isinstance(value, slice | range):
        return repr(value)
    plain = type(value) in (list, tuple, dict, set, frozenset)
    if not plain:  # `clone` copies it with what it holds
        above = above._replace(kept=True)
    if isinstance(value, list | tuple):
        text = _of_sequence(value, path, above)
    elif isinstance(value, Mapping):
        pairs = [
            f"{repr(k) if _is_plain(k) else _describe(k, f'a key of {path}', above)}: "
            f"{repr(v) if _is_plain(v) else _describe(v, f'{path}[{k!r}]', above)}"
            for k, v in value.items()
        ]
        text = "{" + ", ".join(sorted(pairs)) + "}"
    elif isinstance(value, set | frozenset):
        items = [_describe(v, f"an item of {path}", above) for v in value]
        name = "set" if isinstance(value, set) else "frozenset"
        text = f"{name}({', '.join(sorted(items))})"
    else:
        return None
    if plain:
        return text
    return _of_attributes(type(value), _attributes(value), path, above) + text


def _of_sequence(value: Any, path: str, above: _Above) -> str:
    kind = "list" if isinstance(value, list) else "tuple"
    if len(value) > _LONGEST and all(type(item) is str for item in value):
        data = "\0".join(value).encode("utf-8", "surrogatepass")
        lengths = np.array([len(item) for item in value])
        return f"{len(value)} str({digest(data)}, {digest(lengths.tobytes())})"
    if len(value) > _LONGEST and (array := _numbers(value)) is not None:
        return f"{kind} of {_describe(array, path, above)}"
    items = [_describe(v, f"{path}[{i}]", above) for i, v in enumerate(value)]
    text = ", ".join(items)
    if kind == "list":
        return f"[{text}]"
    return f"({text},)" if len(items) == 1 else f"({text})"


def _numbers(value: Any) -> np.ndarray | None:
    """Return a long list as an array, if it holds numbers or equal rows of them."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "biuf" else None


def _of_array(value: Any, path: str, above: _Above) -> str | None:
    if isinstance(value, type):  # numpy's have the attributes of their arrays
        return None
    if isinstance(value, np.ma.MaskedArray):
        held = [value.data, np.ma.getmaskarray(value), value.fill_value]
        return f"masked({_describe(held, path, above)})"
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            items = _describe(value.ravel().tolist(), path, above)
            return f"ndarray({value.shape}, {items})"
        if value.dtype.names:  # between the fields may lie bytes without a meaning
            fields = {name: value[name] for name in value.dtype.names}
            return f"ndarray({value.shape}, {_describe(fields, path, above)})"
        what = f"ndarray({value.dtype.str}, {value.shape}, "
        if value.size <= _LONGEST and value.dtype.kind in "biufU":
            return what + f"{value.tolist()})"
        return what + digest(np.ascontiguousarray(value).view(np.uint8).data) + ")"
    if sparse.issparse(value):
        value = value.tocoo()
        held = [value.row, value.col, value.data]
        arrays = _describe([np.asarray(a) for a in held], path, above)
        return f"{type(value).__name__}({value.shape}, {arrays})"
    if hasattr(value, "columns") and hasattr(value, "__array__"):  # a DataFrame
        columns = []
        for position, name in enumerate(value.columns):
            column = value.iloc[:, position] if hasattr(value, "iloc") else value[name]
            columns.append(f"{name!r} {_of_column(column, f'{path}[{name!r}]', above)}")
        columns += _of_index(value, path, above)
        return f"{type(value).__name__}({'; '.join(columns)})"
    if hasattr(value, "dtype") and hasattr(value, "__array__"):  # a Series, a tensor
        held = [_of_column(value, path, above), *_of_index(value, path, above)]
        return f"{type(value).__name__}({'; '.join(held)})"
    return None


def _of_column(value: Any, path: str, above: _Above) -> str:
    dtype = str(value.dtype)
    if isinstance(value.dtype, pd.CategoricalDtype):
        categories = np.asarray(value.dtype.categories)
        dtype += f"({value.dtype.ordered}, {_describe(categories, path, above)})"
    return f"{dtype}: {_describe(np.asarray(value), path, above)}"


def _of_index(value: Any, path: str, above: _Above) -> list[str]:
    """Describe the index of what is of pandas, for models may read it."""
    if not hasattr(value, "iloc"):
        return []
    return [_describe(value.index, f"{path}.index", above)]


def _of_code(value: Any, path: str, above: _Above) -> str | None:
    """Describe what is known by its name: functions, classes, modules."""
    above = above._replace(kept=True)
    if isinstance(value, functools.partial):
        held = _describe([value.func, list(value.args), value.keywords], path, above)
        return f"partial({held})"
    if isinstance(value, types.MethodType):
        owner = _describe(value.__self__, path, above)
        return f"{owner}.{value.__func__.__name__}"
    if isinstance(value, types.BuiltinMethodType) and value.__module__ is None:
        return f"{_describe(value.__self__, path, above)}.{value.__name__}"
    if isinstance(value, np.ufunc):
        return _of_ufunc(value, path)
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return _name(value, path)
    has_name = hasattr(value, "__name__") and hasattr(value, "__module__")
    if has_name and inspect.ismethoddescriptor(value):
        return _name(value, path)  # a function of Cython's or of numpy's
    return None


def _of_ufunc(value: np.ufunc, path: str) -> str:
    name = value.__name__
    if not any(getattr(home, name, None) is value for home in (np, special)):
        raise UnknownIdentityError(f"{path} is a ufunc of neither numpy nor scipy")
    return f"ufunc {name}"


def _name(value: Any, path: str = "value") -> str:
    """Return the name of a function or class, and a digest of a user's source."""
    name = getattr(value, "__qualname__", value.__name__)
    if "<" in name:
        what = (
            "a lambda" if "<lambda>" in name else f"defined inside a function ({name})"
        )
        raise UnknownIdentityError(f"{path} is {what}")
    return f"{_module(value)}.{name}{_source(value)}"


def _module(value: Any) -> str:
    """Return the module, without the private parts, which libraries rename."""
    parts = str(value.__module__).split(".")
    return ".".join(
        part for part in parts if not part.startswith("_") or part == "__main__"
    )


@functools.lru_cache(maxsize=256)
def _source(value: Any) -> str:
    """Return a digest of the source of what is not part of an installed library.

    That of a class has those it inherits from in it.
    """
    sources = map(_own_source, value.__mro__ if isinstance(value, type) else [value])
    found = "".join(filter(None, sources))
    return f"@{digest(found.encode())[:8]}" if found else ""


def _own_source(value: Any) -> str:
    """Return the source, or the code if it was typed at a prompt."""
    try:
        file = inspect.getsourcefile(value) or ""
        if (
            file.startswith(_LIBRARIES)
            or _module(value).split(".")[0] == "sklearn_refine"
        ):
            return ""
        return inspect.getsource(value)
    except (TypeError, OSError):
        return _compiled(value)


_PLAIN = (int, float, str, tuple)


def _compiled(value: Any) -> str:
    """Describe functions and classes of Python by their code and plain attributes."""
    if isinstance(value, types.FunctionType):
        defaults = value.__defaults__, value.__kwdefaults__
        return f"{_of_bytecode(value.__code__)}{defaults!r}"
    if isinstance(value, property):
        value = [f for f in (value.fget, value.fset, value.fdel) if f]
        return "".join(map(_compiled, value))
    if isinstance(value, staticmethod | classmethod):
        return _compiled(value.__func__)
    if isinstance(value, type):
        members = {
            name: _compiled(held)
            for name, held in vars(value).items()
            if not (name.startswith("__") and isinstance(held, _PLAIN))  # of the place
        }
        return "".join(f"{name}:{code}" for name, code in members.items() if code)
    return repr(value) if isinstance(value, _PLAIN) else ""


def _of_bytecode(code: types.CodeType) -> str:
    constants = [
        _of_bytecode(constant)
        if isinstance(constant, types.CodeType)
        else repr(
            sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant
        )
        for constant in code.co_consts
    ]
    return f"{code.co_code.hex()}{code.co_names}{code.co_varnames}{constants}"


def _of_object(value: Any, path: str, above: _Above) -> str | None:
    """Describe an object by its class and what it was made with, or what it holds."""
    cls = type(value)
    if cls is np.random.RandomState:
        state = value.get_state(legacy=False)
        return f"RandomState({_describe(state, path, above)})"
    if cls is np.random.Generator:
        return f"Generator({_describe(value.bit_generator.state, path, above)})"
    if isinstance(value, io.IOBase):
        return None  # what it would give next is not known
    if hasattr(value, "dist") and hasattr(value, "kwds") and hasattr(value, "args"):
        held = _describe(
            [list(value.args), value.kwds], path, above
        )  # of scipy, frozen
        if _is_made_of_data(value.dist):
            return _of_distribution(value.dist, path, above) + f"({held})"
        return f"{_name(type(value.dist))}({held})"
    if isinstance(value, rv_continuous | rv_discrete):
        return _of_distribution(value, path, above)
    if hasattr(value, "get_params"):
        return _of_estimator(value, path, above)
    above = above._replace(kept=True)
    if _has_own_state(cls):
        return _of_state(value, path, above)
    attributes = {**_attributes(value), **kept_by_clone(value)}
    if isinstance(value, np.vectorize):
        attributes.pop("_ufunc", None)  # is made when it is called
    if not attributes and not hasattr(value, "__dict__"):
        return None
    return _of_attributes(cls, attributes, path, above)


def _is_made_of_data(value: Any) -> bool:
    """Whether a distribution of scipy's is an ``rv_histogram`` or has ``values``."""
    return isinstance(value, rv_histogram) or (
        isinstance(value, rv_discrete) and hasattr(value, "xk")
    )


def _of_distribution(value: Any, path: str, above: _Above) -> str:
    """Describe a distribution of scipy's that is not frozen by what it draws from.

    Its generator is left out: a search draws with its own.
    """
    if isinstance(value, rv_histogram):
        names = {"_hbins", "_hpdf"}  # as given, they have more than one form
    elif _is_made_of_data(value):
        names = {"xk", "pk"}
    else:
        base = rv_continuous if isinstance(value, rv_continuous) else rv_discrete
        names = (vars(value).keys() - vars(base()).keys()) | {"a", "b"}
    held = {name.strip("_"): vars(value)[name] for name in names}
    return _of_attributes(type(value), held, path, above)


def _of_estimator(value: Any, path: str, above: _Above) -> str:
    """Describe by parameters; where it stays fitted, also by a digest of the rest."""
    held = {**value.get_params(deep=False), **kept_by_clone(value)}
    if above.kept:
        held = {**_attributes(value), **held}
    text = _of_attributes(type(value), held, path, above)
    if above.kept or not clones_itself(value):
        return text
    whole = _of_estimator(value, path, above._replace(kept=True))
    return f"{text}@{digest(whole.encode())}"


def _attributes(value: Any) -> dict[str, Any]:
    """Return what an object's ``__dict__`` and its slots hold."""
    state: Any = object.__getstate__(value)
    if isinstance(state, tuple):
        return {**(state[0] or {}), **state[1]}
    return state or {}


def _of_attributes(cls: type, held: Mapping[str, Any], path: str, above: _Above) -> str:
    names = sorted(held)
    texts = [f"{k}={_describe(held[k], f'{path}.{k}', above)}" for k in names]
    return f"{_short(cls)}({', '.join(texts)})"


def _has_own_state(cls: type) -> bool:
    """Whether a class says itself what it holds, which compiled ones do."""
    names = ("__reduce_ex__", "__reduce__", "__getstate__")
    own = any(getattr(cls, name) is not getattr(object, name) for name in names)
    return own or cls in copyreg.dispatch_table


def _of_state(value: Any, path: str, above: _Above) -> str | None:
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        parts = value.__reduce_ex__(4) if reduce is None else reduce(value)
    except Exception:
        return None  # no copy could be made of it either
    if isinstance(parts, str):  # the only one of its name, such as pandas.NA
        return f"{_module(type(value))}.{parts}"
    if not isinstance(parts, tuple) or any(part is not None for part in parts[3:]):
        return None
    return _describe(list(parts[:3]), path, above)


def _short(cls: type) -> str:
    """Return a class's name: its own for scikit-learn's, else the full one."""
    name = _name(cls)
    return cls.__name__ if name.startswith("sklearn.") else name
