"""The display of one run while it goes: where it is shown, what it is told, and its last lines.

Owns whether and where a run is shown, and what stands between it and whoever else writes there. What is drawn and when
is `rust/progress`'s, whose thread needs no interpreter. Must not know policies or places.
"""

from __future__ import annotations

import builtins
import os
import stat
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from graflow_fast._core import Progress
from graflow_fast._messages import message_of
from graflow_fast._run.cell import Cell, is_notebook
from graflow_fast._run.nodes import function_name
from graflow_fast.core.running import Process
from graflow_fast.core.task import TaskWrapper

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast._core import Pool, Scheduler
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.settings import Settings

#: Stands for groups, which have no body of their own, and for functions beyond those that are counted one by one.
_GROUP, _MOST_FUNCTIONS = 65_535, 65_000
#: So many nodes are looked at with the interpreter's lock held.
_PIECE = 4096
_definition_of = TaskWrapper._definition.__get__  # type: ignore[attr-defined]
#: Seconds between two looks for new nodes.
_LOOK = 0.25
#: So many failed tasks are told in the last lines.
_MOST_FAILURES = 5
_LONGEST_MESSAGE = 200


class Shown:
    """One run, as it is shown."""

    def __init__(self, mode: str, scheduler: Scheduler, nodes: NodeTable, settings: Settings, name: str) -> None:
        self._scheduler = scheduler
        self._nodes = nodes
        self._name = name
        self._began = time.monotonic()
        self._failures: list[str] = []
        self._known_definitions: dict[Any, int] = {}
        self._workers = 0 if settings.resolved_executor() == "inline" else settings.resolved_workers()
        self._glyphs = _shows_glyphs()
        self._cell = Cell(name) if mode == "cell" else None
        #: What is drawn in a notebook's cell goes nowhere else.
        self._nowhere = -1 if self._cell is None else os.open(os.devnull, os.O_WRONLY)
        out, drawn = (2, mode) if self._cell is None else (self._nowhere, "plain")
        self.core = Progress(name, out, drawn, glyphs=self._glyphs, workers=self._workers, began=self._began)
        self.core.show(scheduler)
        self._others = Others(self.core)
        self._names = threading.Thread(target=self._tell, name="progress names", daemon=True)
        self._names.start()

    def _tell(self) -> None:
        """Tell which functions nodes have and how those are called that somebody looks at, until the run is over."""
        nodes, known, functions = self._nodes, 0, dict[str, int]()
        while True:
            count = min(len(nodes.names), len(nodes.tasks))
            while known < count:
                last = min(known + _PIECE, count)
                before = len(functions)
                numbers = self._numbers(known, nodes.tasks[known:last], functions)
                self.core.add_functions(numbers, list(functions)[before:])
                known = last
            wanted = self.core.wait_for_wanted(_LOOK)
            if wanted is None:
                return
            for node in wanted:
                self.core.name(node, nodes.names[node])
            self.core.set_skipped(len(self._scheduler.skipped()))
            if self._cell is not None and time.monotonic() - self._began >= 2 * _LOOK:
                self._cell.renew(self.core.figures(), nodes.names)

    def _numbers(self, first: int, tasks: list[Any], functions: dict[str, int]) -> list[int]:
        """Return the numbers of the functions of these nodes.

        Tasks of one definition are not looked at one by one: there may be a million of them.
        """
        known = self._known_definitions
        try:
            definitions = list(map(_definition_of, tasks))
        except TypeError:  # a group or a map is among them
            definitions = [getattr(task, "_definition", None) if type(task) is TaskWrapper else None for task in tasks]
        numbers = []
        for node, definition in enumerate(definitions, first):
            number = known.get(definition)
            if number is None:
                task = tasks[node - first]
                number = _number_of(task, functions)
                if definition is not None:
                    known[definition] = number
                    if task.is_template and self._is_loose(node):  # none of those that run
                        number = _GROUP
            numbers.append(number)
        return numbers

    def _is_loose(self, node: int) -> bool:
        """Say of a definition of which instances were made whether nothing leads to it: then only these run."""
        scheduler = self._scheduler
        return not scheduler.predecessors(node) and not scheduler.successors(node)

    def watch(self, pool: Pool) -> None:
        """Show what the workers of a pool do, too."""
        self.core.watch(pool)

    def said(self, task_id: str, done: float, total: float, message: str) -> None:
        """Show what a body of this process says of itself; ``total``: not a number where it is not known."""
        node = self._nodes.ids.get(task_id)
        if node is not None:
            self.core.say(node, done, total, message)

    def failed(self, node: int, number: int, error: BaseException, is_final: bool) -> None:
        """Tell that an attempt failed; ``number`` is 0 for the first one."""
        message = message_of(error).strip().partition("\n")[0][:_LONGEST_MESSAGE]
        words = f"{type(error).__name__}: {message}" if message else type(error).__name__
        name = self._nodes.names[node]
        if not is_final:
            self.core.event("retry", f"{name} after attempt {number + 1}: {words}")
            return
        tries = f" ({number + 1} attempts)" if number else ""
        self.core.event("FAILED", f"{name}{tries}: {words}")
        if len(self._failures) <= _MOST_FAILURES:
            self._failures.append(f"  {name}{tries}: {words}{_place_of(error)}")

    def end(self, outcome: str, error: BaseException | None) -> None:
        """Take everything away and say how the run ended."""
        last = self._last_lines(outcome, error)
        try:
            self.core.close(self._scheduler, last)
        finally:
            self._others.end()
            self._names.join()
            if self._cell is not None:
                os.close(self._nowhere)
                self._cell.end(last)

    def _last_lines(self, outcome: str, error: BaseException | None) -> str:
        self._scheduler.record_counts()  # which has all that happened counted
        figures = self.core.figures()
        done, failed = figures["done"], figures["failed"]
        took = _length(time.monotonic() - self._began)
        good = outcome in ("completed", "terminated", "max_steps")
        mark = (("✓" if good else "✗") if self._glyphs else ("ok" if good else "FAIL")) + " "
        tasks = f"{done} task{'' if done == 1 else 's'}"
        if outcome == "completed":
            words = [f"{tasks} in {took}"]
        elif failed:
            words = [f"{failed} of {max(figures['total'] or 0, done)} failed after {took}"]
        else:
            how = {"canceled": "cancelled", "max_steps": "stopped at max_steps"}.get(outcome, outcome)
            if isinstance(error, KeyboardInterrupt):
                how = "interrupted"
            words = [f"{how} after {took}", f"{tasks} done"]
        if self._workers and figures["busy"] is not None:
            words.append(f"{self._workers} worker{'' if self._workers == 1 else 's'} {figures['busy']:.0%} busy")
        if figures["retried"]:
            words.append(f"{figures['retried']} retr{'y' if figures['retried'] == 1 else 'ies'}")
        shown = self._failures[:_MOST_FAILURES]
        if failed > len(shown):
            shown.append(f"  and {failed - len(shown)} more")
        return "\n".join([f"{mark}{self._name}: {', '.join(words)}", *shown, ""])


class Others:
    """Whoever else writes to where a run is shown: told of each write, and otherwise left as they are.

    What is replaced is the ``write`` of the raw files below ``sys.stdout`` and ``sys.stderr``: there all that Python
    writes comes by, also through logging handlers made before, exactly when and as it leaves the process.
    """

    _now: Others | None = None

    def __init__(self, core: Progress) -> None:
        self._core = core
        self._replaced: list[Any] = []
        Others._now = self
        seen: set[int] = set()
        for stream in (sys.stdout, sys.stderr):
            buffer = getattr(stream, "buffer", None)
            raw = getattr(buffer, "raw", buffer)
            if raw is not None and id(raw) not in seen and _is_shown_at(raw):
                seen.add(id(raw))
                try:
                    raw.write = self._telling(raw.write)
                except AttributeError:
                    continue
                self._replaced.append(raw)
        self._usual_input = builtins.input
        self._input = builtins.input = self._asking(builtins.input)
        global _forks_are_told
        if not _forks_are_told:
            _forks_are_told = True
            os.register_at_fork(after_in_child=_forget)

    def _telling(self, write: Callable[[Any], Any]) -> Callable[[Any], Any]:
        core = self._core

        def telling(data: Any) -> Any:
            core.enter()
            last = None
            try:
                written = write(data)
                if written:
                    last = bytes(memoryview(data).cast("B")[written - 1 : written])[0]
                return written
            finally:
                core.leave(last)

        return telling

    def _asking(self, usual: Callable[..., str]) -> Callable[..., str]:
        """Have the block away while somebody types: C code writes the question, also that of a debugger.

        The line counts as begun until it is answered. Nobody is kept from writing meanwhile.
        """
        core = self._core

        def asking(*prompt: Any) -> str:
            core.enter()
            core.leave(ord("?"))
            try:
                return usual(*prompt)
            finally:
                core.enter()
                core.leave(ord("\n"))

        return asking

    def end(self) -> None:
        """Leave everything as it was."""
        if builtins.input is self._input:
            builtins.input = self._usual_input
        if Others._now is self:
            Others._now = None
        for raw in self._replaced:
            raw.__dict__.pop("write", None)
        self._replaced.clear()


_forks_are_told = False


def _forget() -> None:
    """A forked child has no display, and must not wait for one."""
    if Others._now is not None:
        Others._now.end()


def mode_of(progress: bool | str) -> str | None:
    """Return how a run is shown, "block", "plain" or, in a notebook, "cell"; None: not at all.

    Args:
        progress: what `execute` was told; ``GRAFLOW_FAST_PROGRESS`` comes before it.
    """
    wish = os.environ.get("GRAFLOW_FAST_PROGRESS", "").strip().lower() or progress
    if wish in (False, "off", "0", "false", "no") or sys.stderr is None:
        return None
    if Others._now is not None or Process.is_worker:
        return None  # a run within a run is part of a body
    if wish != "plain" and is_notebook():
        return "cell"
    try:
        os.fstat(2)
    except OSError:
        return None
    if wish == "plain" or not _is_terminal():
        return "plain"
    return "block"


def _is_terminal() -> bool:
    """Say whether a block can be drawn where errors are shown."""
    variables = os.environ
    if variables.get("TERM", "dumb") == "dumb" or variables.get("CI") or variables.get("TTY_INTERACTIVE") == "0":
        return False
    return os.isatty(2) and sys.stderr is sys.__stderr__


def _shows_glyphs() -> bool:
    return (getattr(sys.stderr, "encoding", None) or "").lower().replace("-", "") == "utf8"


def _is_shown_at(raw: Any) -> bool:
    """Say whether a file is what errors are shown at."""
    try:
        one, other = os.fstat(raw.fileno()), os.fstat(2)
    except (OSError, ValueError, AttributeError):
        return False
    if stat.S_ISCHR(one.st_mode) and stat.S_ISCHR(other.st_mode):
        return one.st_rdev == other.st_rdev
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _number_of(task: Any, functions: dict[str, int]) -> int:
    if task.is_group:
        return _GROUP
    name = function_name(task)
    number = functions.setdefault(name, len(functions))
    if number >= _MOST_FUNCTIONS:
        del functions[name]
        return _MOST_FUNCTIONS - 1
    return number


def _place_of(error: BaseException) -> str:
    """Return where an error was raised, as in ``   census.py:231 in measure``."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if f"{os.sep}graflow_fast{os.sep}" not in code.co_filename:
            place = f"   {os.path.basename(code.co_filename)}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    return place


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60}:{seconds % 60:04.1f}" if seconds < 3600 else f"{seconds / 3600:.1f} h"
