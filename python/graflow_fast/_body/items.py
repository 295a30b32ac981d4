"""Running a task's body for each of some items: in the caller, a thread or a worker. Knows nothing of maps' order.

Where the body takes nothing but the item, a chunk is a plain loop in C; contexts, arguments and times are made per
item only where somebody asks for them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

from graflow_fast._body.arguments import NOTHING, fill_arguments
from graflow_fast._body.awaited import awaited, awaiting, is_awaitable
from graflow_fast.core import registry
from graflow_fast.core.definition import Definition
from graflow_fast.core.spread import POSITIONAL, arguments_of
from graflow_fast.core.task import _rebuild_task
from graflow_fast.core.task_context import TaskExecutionContext
from graflow_fast.exceptions import GraflowRuntimeError

#: Values that items may share: nobody can change them.
_FIXED = frozenset({int, str, float, bool, bytes, complex, type(None)})


class Outcome:
    """What became of some items; positions count from the first of them.

    Attributes:
        results: one for each item, None for those that failed.
        failures: (position, exception); logs: (position, channel writes); directives: (position, what was asked for).
        pieces: (position up to which it was printed, output).
        times: (start, end) of each item in seconds since the epoch, None unless asked for.
    """

    __slots__ = ("directives", "failures", "logs", "pieces", "results", "times")

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.failures: list[tuple[int, Any]] = []
        self.pieces: list[tuple[int, Any]] = []
        self.logs: list[tuple[int, Any]] = []
        self.directives: list[tuple[int, Any]] = []
        self.times: list[tuple[float, float]] | None = None


class Body:
    """How the body of a map is called for an item.

    Args:
        definition: the task's definition.
        name: the map's id; items are ``name[index]``.
        bound: returns the bound arguments.
        context_of: returns the execution context for an item by its id.
        previous: as for `fill_arguments`.
        handler: the registered handler that the task asked for, if any.
        begins: called when an item has all it needs and the function is called next, if anybody wants to know.
        spread: how an item becomes arguments, None for one that is the first open argument.
    """

    def __init__(
        self,
        definition: Definition,
        name: str,
        bound: Callable[[], dict[str, Any]],
        context_of: Callable[[str], Any],
        previous: Any = NOTHING,
        handler: Any = None,
        begins: Callable[[], None] | None = None,
        spread: str | tuple[str, ...] | None = None,
    ) -> None:
        self.definition = definition
        #: What is called: the function, or what gives it the resources that its task takes.
        self.func: Callable[..., Any] = definition.func
        self.name = name
        self.bound = bound
        self.context_of = context_of
        self.previous = previous
        self.handler = handler
        self.begins = begins
        names = bound()
        parameters = [parameter.name for parameter in definition.parameters]
        open_names = [parameter for parameter in parameters if parameter not in names]
        #: The parameter that an item is passed as, None for the first position.
        self.open_names = open_names
        self.spread = spread
        self.slot = open_names[0] if open_names and open_names[0] != parameters[0] else None
        if spread is None:
            self.others = bool(names) or len(parameters) > 1
        else:
            self.others = bool(names) or spread == POSITIONAL or set(spread) != set(parameters)
        #: Whether the body may ask its context for something.
        self.asks = (
            definition.inject_context
            or handler is not None
            or definition.cache is not None
            or definition.injected is not None
        )
        self.needs_context = self.asks or self.others

    def plain(self, first_id: str) -> Callable[[Any], Any] | None:
        """Return a function of the item alone that does all there is to do, None when there is more to it."""
        if self.asks:
            return None
        if self.spread is not None:
            return None if self.others else self._plain_spread()
        if not self.others:
            return self.func
        try:
            arguments = self._arguments(first_id, self.context_of(first_id), None)
        except Exception:
            return None  # each item will say so
        if self.slot is not None:
            del arguments[self.slot]
        if any(type(value) not in _FIXED for value in arguments.values()):
            return None
        if self.slot is None:
            return functools.partial(self.func, **arguments)
        func, slot = self.func, self.slot
        return lambda item: func(**{slot: item}, **arguments)

    def _plain_spread(self) -> Callable[[Any], Any]:
        func, spread, names = self.func, self.spread, self.open_names
        assert spread is not None
        return lambda item: func(**arguments_of(item, spread, names))

    def call(self, item_id: str, item: Any, outcome: Outcome, position: int) -> Any:
        """Run the body for one item and return its result; its writes and directives go into the outcome."""
        definition = self.definition
        context = self.context_of(item_id) if self.needs_context else None
        task_context = TaskExecutionContext(item_id, context, item_id)
        registry.running.task_context = task_context
        if context is not None:
            context.current_task_context = task_context
        try:
            if self.handler is not None:
                return self._handled(item_id, item, context)
            positional, given = self._parts(item)
            arguments = self._arguments(item_id, context, item) if self.others else given or {}
            if self.begins is not None:
                self.begins()
            if definition.inject_context:
                result = awaited(self.func(task_context, *positional, **arguments))
            else:
                result = awaited(self.func(*positional, **arguments))
            if task_context.directives is not None:
                _check_directives(item_id, task_context.directives)
                outcome.directives.append((position, task_context.directives))
            return result
        finally:
            log = context.channel.log if context is not None else None
            if log:
                outcome.logs.append((position, log))

    def _arguments(self, item_id: str, context: Any, item: Any) -> dict[str, Any]:
        positional, given = self._parts(item)
        filled = len(positional)
        return fill_arguments(self.definition, item_id, self.bound(), context.channel, self.previous, filled, given)

    def _parts(self, item: Any) -> tuple[tuple[Any, ...], dict[str, Any] | None]:
        """Return what an item is by position, and what by name."""
        if self.spread is None:
            return ((item,), None) if self.slot is None else ((), {self.slot: item})
        if self.spread == POSITIONAL and not self.open_names and not isinstance(item, Mapping):
            return tuple(item), None  # whatever the function takes
        return (), arguments_of(item, self.spread, self.open_names)

    def _handled(self, item_id: str, item: Any, context: Any) -> Any:
        parameters = self.definition.parameters
        if self.spread is not None:
            arguments = {**self.bound(), **arguments_of(item, self.spread, self.open_names)}
            task = _rebuild_task(item_id, self.definition, arguments, {})
            task.set_execution_context(context)
            return self.handler.execute_task(task, context)
        slot = self.slot or (parameters[0].name if parameters else None)
        bound = self.bound() if slot is None else {**self.bound(), slot: item}
        task = _rebuild_task(item_id, self.definition, bound, {})
        task.set_execution_context(context)
        return self.handler.execute_task(task, context)


def run_items(
    body: Body,
    items: list[Any],
    first: int,
    *,
    detailed: bool = False,
    take_output: Callable[[], Any] | None = None,
    caught: type[BaseException] = BaseException,
    until_failure: bool = False,
) -> Outcome:
    """Run a body for some items.

    Args:
        body: how to call it.
        items: the items.
        first: the index of the first of them in the map.
        detailed: whether to note each item's times.
        take_output: returns what was printed since the last call, None when nothing was.
        caught: what counts as a failure of the item; the rest goes through.
        until_failure: whether to stop behind the first item that fails.
    """
    outcome = Outcome()
    call = None if detailed else body.plain(f"{body.name}[{first}]")
    outer = registry.running.task_context
    try:
        if call is not None:
            _run_plain(call, body, items, first, outcome, take_output, caught, until_failure)
        else:
            _run_each(body, items, first, detailed, outcome, take_output, caught, until_failure)
    finally:
        registry.running.task_context = outer
    pieces = take_output() if take_output is not None else None
    if pieces:
        outcome.pieces.append((max(0, len(outcome.results) - 1), pieces))
    return outcome


def _run_plain(
    call: Callable[[Any], Any],
    body: Body,
    items: list[Any],
    first: int,
    outcome: Outcome,
    take_output: Callable[[], Any] | None,
    caught: type[BaseException],
    until_failure: bool,
) -> None:
    results = outcome.results
    registry.running.task_context = TaskExecutionContext(f"{body.name}[{first}]", None, body.name)
    remaining = iter(items)
    if body.begins is not None:
        body.begins()
    is_known = False
    while len(results) < len(items):
        failure: BaseException | None = None
        try:
            if not is_known:  # whether what it returns is to be awaited; the others are as the first one
                result = call(next(remaining))
                if is_awaitable(result):
                    results.append(awaited(result))
                    call = awaiting(call)
                else:
                    results.append(result)
                is_known = True
            results.extend(map(call, remaining))
        except caught as error:
            failure = error
        else:
            if len(results) == len(items):
                return
            failure = StopIteration()  # raised by the body, it ended the loop without a word
        _note_failure(outcome, failure, take_output)
        if until_failure:
            return


def _run_each(
    body: Body,
    items: list[Any],
    first: int,
    detailed: bool,
    outcome: Outcome,
    take_output: Callable[[], Any] | None,
    caught: type[BaseException],
    until_failure: bool,
) -> None:
    times: list[tuple[float, float]] = []
    if detailed:
        outcome.times = times
    started = 0.0
    for position, item in enumerate(items):
        if detailed:
            started = time.time()
        try:
            outcome.results.append(body.call(f"{body.name}[{first + position}]", item, outcome, position))
        except caught as error:
            _note_failure(outcome, error, take_output)
        if detailed:
            times.append((started, time.time()))
        if until_failure and outcome.failures:
            return
        if outcome.directives and ends_the_map(outcome.directives[-1][1]):
            return


def _note_failure(outcome: Outcome, error: BaseException, take_output: Callable[[], Any] | None) -> None:
    position = len(outcome.results)
    outcome.failures.append((position, error))
    outcome.results.append(None)
    pieces = take_output() if take_output is not None else None
    if pieces:
        outcome.pieces.append((position, pieces))


def ends_the_map(asked: list[tuple[Any, ...]]) -> bool:
    """Say whether nothing counts that comes after an item which asked for this."""
    return any(directive[0] in ("terminate", "cancel") for directive in asked)


def _check_directives(item_id: str, directives: list[tuple[Any, ...]]) -> None:
    if any(directive[0] == "iterate" for directive in directives):
        raise GraflowRuntimeError(
            f"Item '{item_id}' called next_iteration(), but an item of a map runs once: loop inside the body, "
            "or use a group of tasks"
        )
