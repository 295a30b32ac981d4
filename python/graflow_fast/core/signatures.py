"""Which parameters of a function a run may fill. Imported when a task is first run, not when it is defined.

Those of plain functions are read in Rust where nobody needs them in Python (`rust/python/src/body/parameters.rs`).
"""

from __future__ import annotations

import builtins
import collections.abc
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from graflow_fast.core.definition import Parameter

#: Flags of a function's code (`inspect.CO_VARARGS`, `inspect.CO_VARKEYWORDS`).
_VARARGS, _VARKEYWORDS = 0x04, 0x08

#: Of one parameter: name, whether a run may fill it, whether it has no default, whether it takes keywords of any name.
_Found = tuple[str, bool, bool, bool]


def read_parameters(func: Callable[..., Any], skip_first: bool) -> tuple[tuple[Parameter, ...], bool]:
    """Return the parameters that a run may fill, and whether any other keyword is welcome."""
    # What decorators leave behind, which `inspect` follows, is in the function's dictionary.
    if type(func) is types.FunctionType and not func.__dict__:
        listed, annotations = list(_of_code(func)), annotations_of(func)
    else:
        try:
            listed, annotations = _of_signature(func)
        except (TypeError, ValueError):  # a builtin without a signature takes what is bound
            return (), True
    hints: dict[str, Any] | None = None
    found = []
    for name, is_fillable, required, _ in listed[1:] if skip_first else listed:
        if not is_fillable:
            continue
        annotation = annotations.get(name)
        if isinstance(annotation, str):
            hints = _type_hints(func) if hints is None else hints
            annotation = hints.get(name, annotation)
        found.append(Parameter(name, required, name not in annotations or _fits_mapping(annotation)))
    takes_any = any(takes_any for _, _, _, takes_any in (listed[1:] if skip_first else listed))
    return tuple(found), takes_any


def injected_names(names: list[str], injected: tuple[bool, str | None]) -> dict[str, str | None]:
    """Return the parameters that a client and an agent go to: parameter -> None for the client, else the agent's name.

    Those are ``llm_client`` and ``llm_agent``, or the first ones where a function calls them otherwise.

    Args:
        names: the parameters after the context, in order.
        injected: whether the client is wanted, and which agent.
    """
    found: dict[str, str | None] = {}
    wanted = [("llm_client", None)] if injected[0] else []
    for usual, agent in [*wanted, *([("llm_agent", injected[1])] if injected[1] else [])]:
        open_names = [name for name in names if name not in found and name not in ("llm_client", "llm_agent")]
        found[usual if usual in names or not open_names else open_names[0]] = agent
    return found


def without_injected(parameters: tuple[Parameter, ...], injected: tuple[bool, str | None]) -> tuple[Parameter, ...]:
    """Return the parameters that are left to a run where others are handed a client or an agent."""
    taken = injected_names([each.name for each in parameters], injected)
    return tuple(each for each in parameters if each.name not in taken)


def annotations_of(func: Callable[..., Any]) -> dict[str, Any]:
    """Return a function's annotations; where they are lazy, a `ForwardRef` for each name that is not defined."""
    if sys.version_info >= (3, 14):
        import annotationlib

        try:
            return annotationlib.get_annotations(func, format=annotationlib.Format.FORWARDREF)
        except Exception:  # an annotation may do anything
            return {}
    return func.__annotations__


def settle_annotations(func: Callable[..., Any]) -> None:
    """Let a function's lazy annotations be texts, if reading them fails: what is sent elsewhere has them read."""
    if sys.version_info >= (3, 14) and isinstance(func, types.FunctionType):
        import annotationlib

        try:
            func.__annotations__  # noqa: B018  # computes them
        except Exception:
            func.__annotations__ = annotationlib.get_annotations(func, format=annotationlib.Format.STRING)


def _of_code(func: types.FunctionType) -> Iterator[_Found]:
    """Yield the parameters of a function that is what it seems to be: `inspect` is slow to import."""
    code = func.__code__
    positional, keyword_only = code.co_argcount, code.co_kwonlyargcount
    first_default = positional - len(func.__defaults__ or ())
    for index, name in enumerate(code.co_varnames[:positional]):
        yield name, index >= code.co_posonlyargcount, index < first_default, False
    rest = positional + keyword_only
    if code.co_flags & _VARARGS:
        yield code.co_varnames[rest], False, False, False
        rest += 1
    for name in code.co_varnames[positional : positional + keyword_only]:
        yield name, True, name not in (func.__kwdefaults__ or {}), False
    if code.co_flags & _VARKEYWORDS:
        yield code.co_varnames[rest], False, False, True


def _of_signature(func: Callable[..., Any]) -> tuple[list[_Found], dict[str, Any]]:
    import inspect

    lazily: dict[str, Any] = {}
    if sys.version_info >= (3, 14):
        import annotationlib

        lazily = {"annotation_format": annotationlib.Format.FORWARDREF}
    parameters = inspect.signature(func, **lazily).parameters.values()
    empty, any_keyword = inspect.Parameter.empty, inspect.Parameter.VAR_KEYWORD
    keyword_kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    listed = [
        (each.name, each.kind in keyword_kinds, each.default is empty, each.kind is any_keyword) for each in parameters
    ]
    return listed, {each.name: each.annotation for each in parameters if each.annotation is not empty}


def _type_hints(func: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(func)
    except Exception:
        return {}


def _fits_mapping(annotation: Any) -> bool:
    """Say whether a mapping may be what an annotation asks for; without one, or one that is unknown, it may."""
    if annotation is Any:  # which is a class from Python 3.11 on
        return True
    if annotation is None or annotation is type(None):
        return False  # of ``int | None``
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return any(_is_mapping_named(part) for part in annotation.split("|"))
    origin = typing.get_origin(annotation)
    if origin is typing.Union or origin is getattr(types, "UnionType", None):
        return any(_fits_mapping(part) for part in typing.get_args(annotation))
    if origin is typing.Annotated:
        return _fits_mapping(typing.get_args(annotation)[0])
    if origin is typing.Literal:
        return False
    if hasattr(annotation, "__supertype__"):
        return _fits_mapping(annotation.__supertype__)
    candidate = origin or annotation
    if not isinstance(candidate, type) or getattr(candidate, "_is_protocol", False):
        return True
    return issubclass(candidate, collections.abc.Mapping) or issubclass(dict, candidate)


def _is_mapping_named(text: str) -> bool:
    """Do as `_fits_mapping` for the name of a type that can't be looked up."""
    head = text.split("[")[0].strip().rsplit(".", 1)[-1]
    known = getattr(builtins, head, None)
    if isinstance(known, type):
        return issubclass(dict, known)
    return head not in _NO_MAPPINGS


#: Names of types from ``typing`` and ``collections.abc`` that no mapping fits.
_NO_MAPPINGS = frozenset(
    ("None", "List", "Tuple", "Set", "FrozenSet", "Sequence", "MutableSequence", "Callable", "Type", "Literal", "Text")
)
