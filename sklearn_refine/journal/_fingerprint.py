"""Text that identifies a value, equal in every process that has an equal value.

The text identifies a run in a journal, and a candidate in a run. It is made from the
content of a value, never from a pickle. Any change of a text ends the runs of existing
journals.
"""

from __future__ import annotations

import copyreg
import functools
import inspect
import io
import sys
import types
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import rv_continuous, rv_discrete, rv_histogram

from sklearn_refine._sklearn_compat import clones_itself, kept_by_clone
from sklearn_refine.journal._code import (
    UnknownIdentityError,
    class_name,
    describe_ufunc,
    digest,
    name_of,
    public_module,
)

_MAX_LENGTH = (
    120  # characters of a string, or numbers of an array, that are written out
)


def fingerprint(parts: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits that are equal for equal parts.

    Parameters
    ----------
    parts : mapping of str to object
        Everything that decides the results of a run. Errors use the names.

    Returns
    -------
    digest : str

    Raises
    ------
    UnknownIdentityError
        If a part holds something without a name and a content, such as a lambda.
    """
    text = "\n".join(f"{name}: {describe(parts[name], name)}" for name in sorted(parts))
    return digest(text.encode())


def describe(value: Any, path: str = "value") -> str:
    """Return a readable text that is equal for equal values.

    Numbers, strings, containers and estimators are written out. Long strings and arrays
    are described by size and digest. Functions and classes are described by their full
    name and, unless they belong to an installed library, a digest of their source. The
    fitted state of an estimator counts if `clone` keeps it.

    Parameters
    ----------
    value : object
        Anything with a content or a name.
    path : str, default="value"
        Name of the value in errors.

    Returns
    -------
    text : str

    Raises
    ------
    UnknownIdentityError
        See `fingerprint`.
    """
    return _describe(value, path, _Parents())


class _Parents(NamedTuple):
    """The values that contain a value, by id, and whether `clone` keeps all of it.

    If `clone` keeps an estimator as it is, the estimator may stay fitted. All its
    attributes then count, not only its parameters.
    """

    ids: tuple[int, ...] = ()
    kept: bool = False


def _describe(value: Any, path: str, parents: _Parents) -> str:
    if isinstance(value, np.generic) and not isinstance(value, np.void):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, complex)):
        return repr(value)
    if isinstance(value, (str, bytes)):
        return _describe_text(value)
    if id(value) in parents.ids:
        raise UnknownIdentityError(f"{path} holds itself")
    parents = parents._replace(ids=(*parents.ids, id(value)))
    kinds = (_describe_container, _describe_array, _describe_code, _describe_object)
    for describe_kind in kinds:
        text = describe_kind(value, path, parents)
        if text is not None:
            return text
    raise UnknownIdentityError(f"{path}={value!r} has neither a name nor a content")


def _has_short_repr(value: Any) -> bool:
    """Whether the text of a value is its repr, as for most parameter values."""
    kind = type(value)
    if kind is str:
        return len(value) <= _MAX_LENGTH
    return kind is float or kind is int or kind is bool or value is None


def _describe_text(value: str | bytes) -> str:
    if len(value) <= _MAX_LENGTH:
        return repr(value)
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return f"{type(value).__name__}({len(value)}, {digest(data)})"


def _describe_container(value: Any, path: str, parents: _Parents) -> str | None:
    if isinstance(value, slice | range):
        return repr(value)
    plain = type(value) in (list, tuple, dict, set, frozenset)
    if not plain:  # `clone` makes a deep copy
        parents = parents._replace(kept=True)
    if isinstance(value, list | tuple):
        text = _describe_sequence(value, path, parents)
    elif isinstance(value, Mapping):
        pairs = []
        for k, v in value.items():
            is_short = _has_short_repr(k)
            key = repr(k) if is_short else _describe(k, f"a key of {path}", parents)
            is_short = _has_short_repr(v)
            item = repr(v) if is_short else _describe(v, f"{path}[{k!r}]", parents)
            pairs.append(f"{key}: {item}")
        text = "{" + ", ".join(sorted(pairs)) + "}"
    elif isinstance(value, set | frozenset):
        items = [_describe(v, f"an item of {path}", parents) for v in value]
        name = "set" if isinstance(value, set) else "frozenset"
        text = f"{name}({', '.join(sorted(items))})"
    else:
        return None
    if plain:
        return text
    return (
        _describe_attributes(type(value), _read_attributes(value), path, parents) + text
    )


def _describe_sequence(value: Any, path: str, parents: _Parents) -> str:
    kind = "list" if isinstance(value, list) else "tuple"
    if len(value) > _MAX_LENGTH and all(type(item) is str for item in value):
        data = "\0".join(value).encode("utf-8", "surrogatepass")
        lengths = np.array([len(item) for item in value])
        return f"{len(value)} str({digest(data)}, {digest(lengths.tobytes())})"
    if len(value) > _MAX_LENGTH and (array := _as_number_array(value)) is not None:
        return f"{kind} of {_describe(array, path, parents)}"
    items = [_describe(v, f"{path}[{i}]", parents) for i, v in enumerate(value)]
    text = ", ".join(items)
    if kind == "list":
        return f"[{text}]"
    return f"({text},)" if len(items) == 1 else f"({text})"


def _as_number_array(value: Any) -> np.ndarray | None:
    """Return a long list as an array if it holds numbers, or rows of equal length."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "biuf" else None


def _describe_array(value: Any, path: str, parents: _Parents) -> str | None:
    if isinstance(value, type):  # types of numpy have the attributes of arrays
        return None
    if isinstance(value, np.ma.MaskedArray):
        held = [value.data, np.ma.getmaskarray(value), value.fill_value]
        return f"masked({_describe(held, path, parents)})"
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            items = _describe(value.ravel().tolist(), path, parents)
            return f"ndarray({value.shape}, {items})"
        if value.dtype.names:  # bytes between fields are arbitrary
            fields = {name: value[name] for name in value.dtype.names}
            return f"ndarray({value.shape}, {_describe(fields, path, parents)})"
        what = f"ndarray({value.dtype.str}, {value.shape}, "
        if value.size <= _MAX_LENGTH and value.dtype.kind in "biufU":
            return what + f"{value.tolist()})"
        return what + digest(np.ascontiguousarray(value).view(np.uint8).data) + ")"
    if sparse.issparse(value):
        value = value.tocoo()
        held = [value.row, value.col, value.data]
        arrays = _describe([np.asarray(a) for a in held], path, parents)
        return f"{type(value).__name__}({value.shape}, {arrays})"
    if hasattr(value, "columns") and hasattr(value, "__array__"):  # a DataFrame
        columns = []
        for position, name in enumerate(value.columns):
            column = value.iloc[:, position] if hasattr(value, "iloc") else value[name]
            columns.append(
                f"{name!r} {_describe_column(column, f'{path}[{name!r}]', parents)}"
            )
        columns += _describe_index(value, path, parents)
        return f"{type(value).__name__}({'; '.join(columns)})"
    if hasattr(value, "dtype") and hasattr(value, "__array__"):  # a Series, a tensor
        held = [
            _describe_column(value, path, parents),
            *_describe_index(value, path, parents),
        ]
        return f"{type(value).__name__}({'; '.join(held)})"
    return None


def _describe_column(value: Any, path: str, parents: _Parents) -> str:
    dtype = str(value.dtype)
    if isinstance(value.dtype, pd.CategoricalDtype):
        categories = np.asarray(value.dtype.categories)
        dtype += f"({value.dtype.ordered}, {_describe(categories, path, parents)})"
    return f"{dtype}: {_describe(np.asarray(value), path, parents)}"


def _describe_index(value: Any, path: str, parents: _Parents) -> list[str]:
    """Describe the index of a pandas object, since models may read it."""
    if not hasattr(value, "iloc"):
        return []
    return [_describe(value.index, f"{path}.index", parents)]


def _describe_code(value: Any, path: str, parents: _Parents) -> str | None:
    """Describe functions, classes and modules by their names."""
    parents = parents._replace(kept=True)
    if isinstance(value, functools.partial):
        held = _describe([value.func, list(value.args), value.keywords], path, parents)
        return f"partial({held})"
    if isinstance(value, types.MethodType):
        owner = _describe(value.__self__, path, parents)
        return f"{owner}.{value.__func__.__name__}"
    if isinstance(value, types.BuiltinMethodType) and value.__module__ is None:
        return f"{_describe(value.__self__, path, parents)}.{value.__name__}"
    if isinstance(value, np.ufunc):
        return describe_ufunc(value, path)
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return name_of(value, path)
    has_name = hasattr(value, "__name__") and hasattr(value, "__module__")
    if has_name and inspect.ismethoddescriptor(value):
        return name_of(value, path)  # a function of Cython or numpy
    return None


def _describe_object(value: Any, path: str, parents: _Parents) -> str | None:
    """Describe an object by its class, and its parameters or attributes."""
    cls = type(value)
    if cls is np.random.RandomState:
        state = value.get_state(legacy=False)
        return f"RandomState({_describe(state, path, parents)})"
    if cls is np.random.Generator:
        return f"Generator({_describe(value.bit_generator.state, path, parents)})"
    if isinstance(value, io.IOBase):
        return None  # its position and content may change
    if hasattr(value, "dist") and hasattr(value, "kwds") and hasattr(value, "args"):
        # A frozen distribution of scipy.
        held = _describe([list(value.args), value.kwds], path, parents)
        if _is_defined_by_data(value.dist):
            return _describe_distribution(value.dist, path, parents) + f"({held})"
        return f"{name_of(type(value.dist))}({held})"
    if isinstance(value, rv_continuous | rv_discrete):
        return _describe_distribution(value, path, parents)
    if _is_random_variable(value):
        return _describe_random_variable(value, path, parents)
    if hasattr(value, "get_params"):
        return _describe_estimator(value, path, parents)
    parents = parents._replace(kept=True)
    if _has_custom_state(cls):
        return _describe_state(value, path, parents)
    attributes = {**_read_attributes(value), **kept_by_clone(value)}
    if isinstance(value, np.vectorize):
        attributes.pop("_ufunc", None)  # created when it is called
    if not attributes and not hasattr(value, "__dict__"):
        return None
    return _describe_attributes(cls, attributes, path, parents)


def _is_defined_by_data(value: Any) -> bool:
    """Whether a scipy distribution is an ``rv_histogram`` or has ``values``."""
    return isinstance(value, rv_histogram) or (
        isinstance(value, rv_discrete) and hasattr(value, "xk")
    )


def _describe_distribution(value: Any, path: str, parents: _Parents) -> str:
    """Describe a scipy distribution that is not frozen by its class and parameters.

    The random generator is left out, since a search draws with its own.
    """
    if isinstance(value, rv_histogram):
        names = {"_hbins", "_hpdf"}  # the arguments have more than one form
    elif _is_defined_by_data(value):
        names = {"xk", "pk"}
    else:
        base = rv_continuous if isinstance(value, rv_continuous) else rv_discrete
        names = (vars(value).keys() - vars(base()).keys()) | {"a", "b"}
    held = {name.strip("_"): vars(value)[name] for name in names}
    return _describe_attributes(type(value), held, path, parents)


def _is_random_variable(value: Any) -> bool:
    """Whether an object has scipy's newer interface of distributions."""
    return all(
        callable(getattr(value, name, None)) for name in ("sample", "icdf", "support")
    )


def _describe_random_variable(value: Any, path: str, parents: _Parents) -> str:
    """Describe a random variable of scipy by its parameters and its code.

    Its other attributes are caches. The class of ``make_distribution`` has no name of
    its own, but its methods belong to a named distribution.
    """
    cls = type(value)
    with np.printoptions(floatmode="unique", threshold=sys.maxsize):
        text = repr(value)
    code: list[Any] = [cls]
    if "<locals>" in cls.__qualname__:
        methods = [m for m in vars(cls).values() if isinstance(m, types.MethodType)]
        code = list({id(m.__self__): m.__self__ for m in methods}.values())
    for held in vars(value).values():
        items = held if isinstance(held, list) else [held]
        code += [item for item in items if _is_random_variable(item)]
    return f"{text} of {_describe(code, path, parents)}"


def _describe_estimator(value: Any, path: str, parents: _Parents) -> str:
    """Describe an estimator by its parameters, and its fitted state if it keeps it."""
    held = {**value.get_params(deep=False), **kept_by_clone(value)}
    if parents.kept:
        held = {**_read_attributes(value), **held}
    text = _describe_attributes(type(value), held, path, parents)
    if parents.kept or not clones_itself(value):
        return text
    whole = _describe_estimator(value, path, parents._replace(kept=True))
    return f"{text}@{digest(whole.encode())}"


def _read_attributes(value: Any) -> dict[str, Any]:
    """Return the attributes in the ``__dict__`` and the slots of an object."""
    state: Any = object.__getstate__(value)
    if isinstance(state, tuple):
        return {**(state[0] or {}), **state[1]}
    return state or {}


def _describe_attributes(
    cls: type, held: Mapping[str, Any], path: str, parents: _Parents
) -> str:
    names = sorted(held)
    texts = [f"{k}={_describe(held[k], f'{path}.{k}', parents)}" for k in names]
    return f"{class_name(cls)}({', '.join(texts)})"


def _has_custom_state(cls: type) -> bool:
    """Whether a class defines its own pickle state, as compiled classes do."""
    names = ("__reduce_ex__", "__reduce__", "__getstate__")
    own = any(getattr(cls, name) is not getattr(object, name) for name in names)
    return own or cls in copyreg.dispatch_table


def _describe_state(value: Any, path: str, parents: _Parents) -> str | None:
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        parts = value.__reduce_ex__(4) if reduce is None else reduce(value)
    except Exception:
        return None  # the object cannot be copied
    if isinstance(parts, str):  # a singleton, such as pandas.NA
        return f"{public_module(type(value))}.{parts}"
    if not isinstance(parts, tuple) or any(part is not None for part in parts[3:]):
        return None
    return _describe(list(parts[:3]), path, parents)
