"""Exceptions as bytes, and back, whatever they are.

Owns how an exception that was raised crosses to another process: with its arguments, attributes, notes and the whole
chain of ``__cause__`` and ``__context__``. What can't be restored comes back as a `RemoteTaskError` with its type,
message and traceback. Owns as well how one is pickled that is a value, or in one. Must not know pipes, frames or tasks.

An exception is flattened into a list of nodes that name each other by index, so that chains may be long, may share
links and may even be circular. Each node is pickled on its own: one that fails costs only itself.
"""

from __future__ import annotations

import builtins
import contextlib
import pickle
from types import FunctionType
from typing import Any, NamedTuple

from graflow_fast._wire.imports import import_late
from graflow_fast.exceptions import GraflowError, RemoteTaskError

__all__ = ["PlainPickler", "pack", "rebuilt", "reduce_exception", "unpack"]

#: ``BaseExceptionGroup``, from Python 3.11 on.
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", None)


#: Set in ``__flags__`` of each class that a program, or a module in Python, has made.
_IS_HEAP_TYPE = 1 << 9


class _Node(NamedTuple):
    body: bytes | None
    """The exception without its links, or None if it can't be pickled."""
    type_name: str
    message: str
    trace: str
    links: dict[str, int]
    """Attribute name -> index of the exception it refers to."""
    suppress_context: bool
    members: tuple[int, ...] = ()
    """Indexes of the exceptions that an exception group holds."""
    type_names: tuple[str, ...] = ()
    """The names of its class and of all that this derives from."""


def pack(error: BaseException) -> bytes:
    """Turn an exception into bytes for `unpack`. Never raises because of the exception's content."""
    order: list[BaseException] = [error]
    index = {id(error): 0}
    nodes: list[_Node] = []
    for current in order:  # grows while it is walked
        links: dict[str, int] = {}
        for name, other in _links(current).items():
            if id(other) not in index:
                index[id(other)] = len(order)
                order.append(other)
            links[name] = index[id(other)]
        members = []
        for other in _members(current):
            if id(other) not in index:
                index[id(other)] = len(order)
                order.append(other)
            members.append(index[id(other)])
        nodes.append(_node(current, links, tuple(members)))
    return pickle.dumps(nodes, protocol=pickle.HIGHEST_PROTOCOL)


def unpack(data: bytes) -> BaseException:
    """The exception that `pack` was given, or a `RemoteTaskError` if it can't be rebuilt in this process."""
    nodes: list[_Node] = pickle.loads(data)
    errors: dict[int, BaseException] = {}
    # Whatever a group holds is older than the group, so the first exceptions of a group are there before it.
    for position in _inner_first(nodes):
        node = nodes[position]
        errors[position] = _restore(node, [errors[member] for member in node.members])
    for own, node in enumerate(nodes):
        error = errors[own]
        for name, position in node.links.items():
            if isinstance(error, RemoteTaskError) and not name.startswith("__"):
                continue  # a stand-in doesn't have the original's attributes
            setattr(error, name, errors[position])
        error.__suppress_context__ = node.suppress_context
    return errors[0]


def _links(error: BaseException) -> dict[str, BaseException]:
    found: dict[str, BaseException] = {}
    if _is_ours(error):
        found = {name: value for name, value in vars(error).items() if isinstance(value, BaseException)}
    if error.__cause__ is not None:
        found["__cause__"] = error.__cause__
    if error.__context__ is not None:
        found["__context__"] = error.__context__
    return found


def _members(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of an exception group that is pickled in the ordinary way."""
    if (
        _GROUP is None
        or not isinstance(error, _GROUP)
        or getattr(type(error), "__reduce__", None) is not BaseException.__reduce__
    ):
        return ()
    return tuple(error.exceptions)


def _inner_first(nodes: list[_Node]) -> list[int]:
    """The positions of the nodes, those of a group's members before that of the group."""
    order: list[int] = []
    todo = [(position, False) for position in range(len(nodes))]
    seen: set[int] = set()
    while todo:
        position, is_ready = todo.pop()
        if is_ready:
            order.append(position)
        elif position not in seen:
            seen.add(position)
            todo.append((position, True))
            todo.extend((member, False) for member in nodes[position].members)
    return order


def _is_ours(error: BaseException) -> bool:
    return type(error).__reduce__ is GraflowError.__reduce__


def _node(error: BaseException, links: dict[str, int], members: tuple[int, ...]) -> _Node:
    kind = type(error)
    return _Node(
        body=_body(error, links),
        type_name=_name_of(kind),
        message=_safe_text(error),
        trace=_safe_trace(error),
        links=links,
        suppress_context=error.__suppress_context__,
        members=members,
        type_names=tuple(map(_name_of, kind.__mro__[:-1])),
    )


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _body(error: BaseException, links: dict[str, int]) -> bytes | None:
    from graflow_fast._wire import by_value  # here, since most programs never need cloudpickle for an exception

    # With the ordinary reduction, class, arguments and attributes are stored apart from each other, since pickle's own
    # way (call the class with .args) breaks classes whose constructor takes something else than .args.
    content: Any = error
    if _is_ours(error) or type(error).__reduce__ is BaseException.__reduce__:
        attributes = {name: value for name, value in vars(error).items() if name not in links}
        content = (type(error), error.args[:1] if _members(error) else error.args, attributes)
    try:
        return by_value.dumps(content)
    except Exception:
        return None


def _restore(node: _Node, members: list[BaseException]) -> BaseException:
    stand_in = RemoteTaskError("", node.type_name, node.message, node.trace, node.type_names)
    if node.body is None:
        return stand_in
    try:
        content = pickle.loads(node.body)
        if members:
            kind, args, attributes = content
            content = (kind, (*args, members), attributes)
        error = rebuilt(*content) if isinstance(content, tuple) else content
    except Exception:
        return stand_in
    return error if isinstance(error, BaseException) else stand_in


def rebuilt(kind: type[BaseException], args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    """Return an exception of a class with these ``args`` and attributes, whatever its constructor takes."""
    error: BaseException
    if issubclass(kind, GraflowError):
        error = kind.__new__(kind, *args)
    elif _has_constructor(kind):  # which takes other arguments than these, or makes something of them
        built_in: Any = next(each for each in kind.__mro__ if not each.__flags__ & _IS_HEAP_TYPE)
        error = built_in.__new__(kind, *args)
        with contextlib.suppress(Exception):
            built_in.__init__(error, *args)  # keeps state that nothing else sets
    else:
        try:
            error = kind(*args)
        except Exception:
            error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(attributes)
    return error


def _has_constructor(kind: type[BaseException]) -> bool:
    """Say whether a class, or one that it derives from, has a constructor written in Python."""
    return type(kind.__init__) is FunctionType or type(kind.__new__) is FunctionType


def reduce_exception(error: BaseException) -> tuple[Any, ...] | None:
    """Return what an exception is made of again, as `pickle` takes it; None: its own way will do.

    That way calls the class with ``args``, which is wrong for a constructor that takes, or makes of it, something else.
    """
    kind = type(error)
    if not _has_constructor(kind) or kind.__reduce__ is not BaseException.__reduce__:
        return None
    if kind.__reduce_ex__ is not BaseException.__reduce_ex__:
        return None
    return rebuilt, (kind, error.args, {}), vars(error)


class PlainPickler(pickle.Pickler):
    """`pickle` itself, but for exceptions."""

    def reducer_override(self, obj: Any) -> Any:
        """Reduce an exception by its rule; leave the rest to `pickle`."""
        if issubclass(type(obj), BaseException):  # isinstance() would ask a proxy for its class
            return reduce_exception(obj) or NotImplemented
        return NotImplemented


def _safe_text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "<its message can't be shown>"


def _safe_trace(error: BaseException) -> str:
    if error.__traceback__ is None:
        return ""
    try:
        shown = import_late("traceback").format_exception(type(error), error, error.__traceback__, chain=False)
        return "".join(shown)
    except Exception:
        return ""
