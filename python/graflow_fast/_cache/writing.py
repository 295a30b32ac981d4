"""How values stand in entries: as pickles that name what the body's module has, instead of having copies of it.

A class, a function or a task that stands in the body's module is named, and an inner function of the body is its code's
place and what it captured; so what an entry gives is the same as what the body would. Must not know whose values these
are.
"""

from __future__ import annotations

import io
import pickle
import sys
import threading
from collections.abc import Callable, Iterable
from types import CellType, CodeType, FunctionType
from typing import Any

from graflow_fast._cache.value_keys import NoKeyError
from graflow_fast._wire import by_value
from graflow_fast._wire.importable import is_importable
from graflow_fast.core.task import Executable

__all__ = ["NotWrittenError", "dumps", "loads"]


class NotWrittenError(NoKeyError):
    """A value can't be kept for other processes."""

    def __str__(self) -> str:
        return f"a {self.kind} {self.path}"


def dumps(value: Any, body: Any, node_named: Callable[[Executable], str | None] | None = None) -> tuple[bytes, bool]:
    """Return a value as bytes, and whether they are a pickle like any other.

    Args:
        value: the value.
        body: the function that it came from.
        node_named: returns the name of a task that is in the graph, None for others.

    Raises:
        NoKeyError: something in it can't be made anew elsewhere.
    """
    content = io.BytesIO()
    pickler = _Pickler(content, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.body, pickler.node_named = body, node_named
    try:
        pickler.dump(value)
    except NoKeyError:
        raise
    except Exception as error:
        raise NotWrittenError(f"can't be pickled ({error})", type(value).__qualname__) from error
    return content.getvalue(), not pickler.has_named


def loads(data: bytes, body: Any, node: Callable[[str], Any] | None = None) -> Any:
    """Return the value.

    Args:
        data: what `dumps` returned.
        body: the function that asks for it.
        node: returns a task of the graph by its name.

    Raises:
        Exception: whatever loading it raises.
    """
    outer = getattr(_loading, "around", None)
    _loading.around = body, node
    try:
        return pickle.loads(data)
    finally:
        _loading.around = outer


#: In a worker, the classes of the program's that have come there with values: no module has their names.
classes_here: Iterable[type] = ()

#: By whom, and with which graph, something is being loaded in a thread.
_loading = threading.local()


class _Pickler(by_value.Pickler):
    body: Any
    node_named: Callable[[Executable], str | None] | None
    has_named = False

    def reducer_override(self, obj: Any) -> Any:
        """Name what the body's module has, and what is in the graph."""
        found: Any = None
        if isinstance(obj, (type, FunctionType)):
            found = self._named(obj)
        elif isinstance(obj, Executable):
            name = None if self.node_named is None else self.node_named(obj)
            found = self._global(obj) if name is None else (_node, (name,))
        elif isinstance(obj, io.IOBase):
            raise NotWrittenError("is open", type(obj).__qualname__)
        if found is None:
            return super().reducer_override(obj)
        self.has_named = True
        return found

    def _named(self, thing: Any) -> Any:
        if is_importable(thing):
            return None
        own = getattr(self.body, "__globals__", {})
        if thing.__module__ == own.get("__name__") and _within(own, thing.__qualname__) is thing:
            return _variable, (thing.__qualname__,)
        if thing.__module__ == "__main__" and _found_in_program(thing.__qualname__) is thing:
            return _of_program, (thing.__qualname__,)
        if isinstance(thing, FunctionType):
            if not isinstance(self.body, FunctionType):
                return None
            path = _path(self.body.__code__, thing.__code__)
            if path is None or thing.__globals__ is not own:
                return None
            cells = None if thing.__closure__ is None else tuple(_content(cell) for cell in thing.__closure__)
            return _inner, (path, thing.__qualname__, thing.__defaults__, thing.__kwdefaults__, cells)
        if "<locals>" in thing.__qualname__ or thing.__module__ in ("__main__", "__mp_main__"):
            raise NotWrittenError("can't be found again by its class's name", thing.__qualname__)
        return None

    def _global(self, task: Executable) -> Any:
        own = getattr(self.body, "__globals__", {})
        name = next((name for name, value in own.items() if value is task), None)
        return None if name is None else (_variable, (name,))


def _node(name: str) -> Any:
    _, node = _loading.around
    if node is None:
        raise LookupError(f"there is no graph to find task {name!r} in")
    return node(name)


def _variable(name: str) -> Any:
    own = _loading.around[0].__globals__
    found = _within(own, name)
    if found is None:
        raise LookupError(f"{name} is gone from {own.get('__name__')}")
    return found


def _of_program(name: str) -> Any:
    found = _found_in_program(name)
    if found is None:
        raise LookupError(f"{name} is gone from the program's own file")
    return found


def _found_in_program(name: str) -> Any:
    """Return what the program's own file has under a name, as far as it is in this process."""
    found = _within(vars(sys.modules["__main__"]), name)
    if found is not None or "<locals>" in name:
        return found
    here = (kind for kind in classes_here if kind.__module__ == "__main__" and kind.__qualname__ == name)
    return next(here, None)


def _inner(path: tuple[int, ...], qualname: str, defaults: Any, named: Any, cells: Any) -> FunctionType:
    """Return an inner function of the body, with what it captured."""
    body = _loading.around[0]
    code = body.__code__
    for place in path:
        code = code.co_consts[place]
    captured = None if cells is None else tuple(CellType(*cell) for cell in cells)
    made = FunctionType(code, body.__globals__, code.co_name, defaults, captured)
    made.__kwdefaults__, made.__qualname__ = named, qualname
    return made


def _within(variables: dict[str, Any], name: str) -> Any:
    first, *rest = name.split(".")
    found = variables.get(first)
    for each in rest:
        found = vars(found).get(each) if isinstance(found, type) else None
    return found


def _path(around: CodeType, code: CodeType) -> tuple[int, ...] | None:
    """Return where code is among the constants of other code, None if it isn't there."""
    for place, constant in enumerate(around.co_consts):
        if constant is code:
            return (place,)
        if isinstance(constant, CodeType):
            inner = _path(constant, code)
            if inner is not None:
                return place, *inner
    return None


def _content(cell: CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()
