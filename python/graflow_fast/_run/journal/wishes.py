"""What bodies asked for, as an entry has it: tasks of the program by name, others by what they are made of.

Knows nothing of when it was asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from graflow_fast._run.journal.program import Program
from graflow_fast._wire.effects import describe, restore
from graflow_fast.exceptions import JournalMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.nodes import NodeTable

#: What is asked for that needs no replay, since it has been done.
_DONE_AT_ONCE = "checkpoint"


#: What the program has, of each run that has one.
_programs: WeakKeyDictionary[NodeTable, Program] = WeakKeyDictionary()


def _program_of(nodes: NodeTable) -> Program:
    found = _programs.get(nodes)
    if found is None:
        found = _programs[nodes] = Program(nodes)
    return found


def packed(nodes: NodeTable, attempt: Attempt, asked: Iterable[tuple[Any, ...]], task_id: str) -> list[Any]:
    """Return what a body asked for; ``task_id``: its name in an error.

    Raises:
        TaskSerializationError: a task that it asked for can't be pickled.
    """
    return [_packed(nodes, attempt, wish, task_id) for wish in asked if wish[0] != _DONE_AT_ONCE]


def _packed(nodes: NodeTable, attempt: Attempt, wish: tuple[Any, ...], task_id: str) -> bytes | tuple[Any, ...]:
    if wish[0] == "next":
        _, executable, goto = wish
        node = nodes.find(executable.task_id, attempt.branch)
        if node is not None and nodes.tasks[node] is executable:
            return "known", executable.task_id, goto
        wish = "next", describe(executable), goto  # with the edges among what it made
    what = "a task that it asked for" if wish[0] == "next" else "what it asked for"
    return _program_of(nodes).dumped(wish, task_id, what)


def restored(nodes: NodeTable, attempt: Attempt, asked: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return what a body had asked for.

    Raises:
        JournalMismatchError: the program has a task no more.
    """
    return [_restored(nodes, attempt, wish) for wish in asked]


def _restored(nodes: NodeTable, attempt: Attempt, wish: bytes | tuple[Any, ...]) -> tuple[Any, ...]:
    if isinstance(wish, bytes):
        found: tuple[Any, ...] = _program_of(nodes).load(wish, attempt.task_id)
        return ("next", restore(found[1]), found[2]) if found[0] == "next" else found
    _, name, goto = wish
    node = nodes.find(name, attempt.branch)
    if node is None:
        raise JournalMismatchError(attempt.task_id, f"it asked for task '{name}', which the workflow has no more")
    return "next", nodes.tasks[node], goto
