"""How a function is described without a pickle, and what becomes of a description where it arrives.

A description is made of scalars, tuples and dictionaries, so that neither side needs `pickle` for a plain function.
`graflow_fast._wire.descriptions` writes it. Needs nothing that is slow to import.
"""

from __future__ import annotations

import sys

from graflow_fast._wire import crossing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any

    #: What stands for a value: one of the kinds below, and what it says.
    Value = tuple[int, Any]
    #: What of a pickled part other parts have, too: (their number, the number in their pickle or -1, their version).
    Given = tuple[tuple[int, int, int], ...]

#: A value itself, modules by their names (the first is meant), what a module has under a name, a generic type with its
#: arguments, a part by its number; nothing any more.
VALUE, MODULE, MEMBER, ALIAS, PART, NOTHING = range(6)

#: The kinds of blobs that a worker is sent. Of parts: the code of functions with all that they have in common, a
#: function, a value, a class. Of definitions: what those of one function and with the same options have in common, one
#: of these, and one that is a pickle as a whole.
TEMPLATE, FUNCTION, OBJECT, CLASS, PATTERN, DEFINITION, WHOLE = range(7)


class Template:
    """The code of functions with all that they have in common: what they don't are their defaults and cells.

    Attributes:
        module_globals: the variables of their module, as far as they are here.
    """

    __slots__ = ("_more", "_name", "annotations", "code", "module_globals")

    def __init__(
        self,
        code: Any,
        module_globals: dict[str, Any],
        shown: tuple[str, str, str | None, str | None],
        annotations: dict[str, Any],
    ) -> None:
        self.code = code
        self.module_globals = module_globals
        self.annotations = annotations
        self._name = shown[0]
        sample = _FUNCTION(code, module_globals, shown[0], None, tuple([cell_of() for _ in code.co_freevars]) or None)
        #: What a function of that code would not have by itself.
        self._more: list[tuple[str, str | None]] = []
        if (sample.__name__, sample.__qualname__, sample.__module__, sample.__doc__) != shown:
            self._more = [(name, value) for name, value in zip(SHOWN, shown) if getattr(sample, name) != value]  # noqa: B905

    def make(
        self,
        cells: tuple[Any, ...] | None,
        defaults: tuple[Any, ...] | None,
        keyword_defaults: dict[str, Any] | None,
        annotations: dict[str, Any] | None = None,
    ) -> FunctionType:
        """Return a new function with these cells, defaults and annotations (None: those of the template)."""
        made: FunctionType = _FUNCTION(self.code, self.module_globals, self._name, defaults, cells)
        if annotations is None:
            annotations = self.annotations
            for name, value in self._more:
                setattr(made, name, value)
        if annotations:
            made.__annotations__ = dict(annotations)
        if keyword_defaults:
            made.__kwdefaults__ = keyword_defaults
        return made


def function_of(number: int, cells: int) -> FunctionType:
    """Return a function of a template whose cells are still empty; called when a pickle is loaded."""
    assert crossing.received is not None
    template = crossing.received.template(number)
    return template.make(tuple([cell_of() for _ in range(cells)]) if cells else None, None, None, {})


def function_at(number: int, path: tuple[int, ...], cells: int) -> FunctionType:
    """Return a function whose code stands in that of a template, its cells still empty; called when a pickle is loaded.

    Args:
        number: the template's.
        path: of constants, each in the code before it.
        cells: how many it has.
    """
    template = crossing.template_of(number)
    code = template.code
    for index in path:
        code = code.co_consts[index]
    made: FunctionType = _FUNCTION(
        code, template.module_globals, code.co_name, None, tuple([cell_of() for _ in range(cells)]) if cells else None
    )
    return made


def set_function_state(function: Any, state: dict[str, Any]) -> None:
    """Give a function what makes it another one than others of its template; called when a pickle is loaded."""
    for cell, contents in zip(function.__closure__ or (), state.pop("cells")):  # noqa: B905  # of one length
        if contents:
            cell.cell_contents = contents[0]
    function.__dict__.update(state.pop("attributes"))
    for name, value in state.items():
        setattr(function, name, value)


def value_of(described: Value, part: Callable[[int], Any]) -> Any:
    """Return what a description stands for; ``part`` finds parts by number."""
    kind, content = described
    if kind == VALUE:
        return content
    if kind == PART:
        return part(content)
    if kind == MODULE:
        for name in content:
            __import__(name)
        return sys.modules[content[0]]
    if kind == MEMBER:
        module, path = content
        __import__(module)
        found: Any = sys.modules[module]
        for name in path.split("."):
            found = getattr(found, name)
        return found
    origin, arguments = content
    return value_of(origin, part)[tuple([value_of(argument, part) for argument in arguments])]


#: What functions of one template show alike.
SHOWN = ("__name__", "__qualname__", "__module__", "__doc__")

_FUNCTION: Any = type(value_of)


def _cell_type() -> Any:
    captured = None

    def inner() -> None:
        return captured

    return type(inner.__closure__[0])  # type: ignore[index]


#: Makes a cell that holds what it is given, or is empty.
cell_of: Any = _cell_type()
