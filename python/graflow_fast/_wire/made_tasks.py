"""Tasks that bodies make of functions of theirs, on their way to the coordinator.

Most are a function whose code the coordinator has, with a few values of its own, and no options: these cross as a call
of `made_task` with plain arguments, which takes a fraction of what a pickle of task, definition and function does.
Owns which tasks these are; all others are the pickler's (`pickling.dump_directive`), and load to the same.
"""

from __future__ import annotations

from operator import attrgetter, itemgetter
from types import FunctionType
from typing import Any

from graflow_fast._core import pack_call
from graflow_fast._wire import crossing
from graflow_fast._wire.descriptions import annotations_of
from graflow_fast._wire.functions import SHOWN, cell_of
from graflow_fast.core.definition import Definition
from graflow_fast.core.task import TaskWrapper

#: What definitions have that say nothing, and which of it are options.
_bare = Definition(annotations_of).__dict__
_OF_FUNCTION = ("func", "name", "_parameters", "_takes_any", "filler", "named", "bound_names", "shown")
_options_of = itemgetter(*(name for name in _bare if name not in _OF_FUNCTION))
_DEFAULTS = _options_of({**_bare, "inject_context": True}), _options_of(_bare)
_shown_of = attrgetter(*SHOWN)


def pack(made: Any) -> bytes | None:
    """Return a task without edges as bytes, None if it is not one of these."""
    definition = made._definition
    function, fields = definition.func, definition.__dict__
    if type(made) is not TaskWrapper or type(function) is not FunctionType or function.__dict__:
        return None
    if len(fields) != len(_bare) or crossing.here.find_key(definition) is not None:
        return None
    options = _options_of(fields)
    if options not in _DEFAULTS or not _is_as_shown(made, fields["shown"]):
        return None
    annotations = annotations_of(function)
    place = crossing.place_of_code(function)
    if place is None or len(annotations) > ("return" in annotations):
        return None
    try:
        cells = function.__closure__ and tuple([cell.cell_contents for cell in function.__closure__])
    except ValueError:  # not bound yet
        return None
    own = cells, function.__defaults__, function.__kwdefaults__
    described = fields["name"], definition.inject_context, _shown_of(function), annotations, *own
    return pack_call(__name__, "made_task", (made._task_id, made._bound_kwargs or None, *place, *described))


def _is_as_shown(made: TaskWrapper, shown: dict[str, Any]) -> bool:
    """Say whether a task has no attributes but those that tasks show of their function."""
    own = made.__dict__
    try:
        return not own or bool(own == shown)
    except Exception:  # an attribute that can't be compared
        return False


def made_task(
    task_id: str,
    bound: dict[str, Any] | None,
    number: int,
    path: tuple[int, ...],
    name: str,
    inject_context: bool,
    shown: tuple[str, str, str | None, str | None],
    annotations: dict[str, Any],
    cells: tuple[Any, ...] | None,
    defaults: tuple[Any, ...] | None,
    keyword_defaults: dict[str, Any] | None,
) -> TaskWrapper:
    """Return the task that `pack` has described; called when a pickle is loaded."""
    template = crossing.template_of(number)
    code = template.code
    for index in path:
        code = code.co_consts[index]
    closure = cells and tuple(map(cell_of, cells))
    function = FunctionType(code, template.module_globals, code.co_name, defaults, closure)
    if keyword_defaults:
        function.__kwdefaults__ = keyword_defaults
    if annotations:
        function.__annotations__ = annotations
    if _shown_of(function) != shown:
        for attribute, value in zip(SHOWN, shown, strict=True):
            setattr(function, attribute, value)
    definition = Definition.plain(function, inject_context, True)
    definition.name = name
    made = TaskWrapper(task_id, definition, register_to_context=False)
    if bound:
        made._bound_kwargs = bound
    made.__dict__.update(definition.shown)
    return made
