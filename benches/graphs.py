"""Owns graphs of tasks with edges, run by graflow_fast and by each peer: the same shape, the same results checked.

Where values are passed, a task's result depends on those of all its predecessors, so a run that starts a task too early
or gives it another's result is an error, not a figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bodies import after, alone, reading, spin, value
from contest import stopwatch
from engines import Engine
from peers import PEERS
from processor import watched
from shapes import SHAPES, Shape, pattern, values


class Graph(Engine):
    """A graph by edges.

    `passing` says how a task gets the results of its predecessors: "nothing" (edges only), "context" (it asks its
    context for them by name), or "parameters" (they are its parameters, so each task has a function of its own).
    """

    def __init__(
        self, passing: str = "nothing", schedule: str = "parallel", executor: str = "process", **options: Any
    ) -> None:
        super().__init__(executor=executor)
        self._passing = passing
        self._options.update(schedule=schedule, **options)

    def build(self, shape: Shape, seconds: float) -> Any:
        """The workflow, whose tasks compute for so long."""
        task = self.library.task
        definition = task(alone) if self._passing == "nothing" else task(inject_context=True)(reading)
        with self.workflow() as flow:
            tasks = [self._task(definition, number, before, seconds) for number, before in enumerate(shape)]
            for number, predecessors in enumerate(shape):
                for before in predecessors:
                    tasks[before] >> tasks[number]
        return flow

    def _task(self, definition: Any, number: int, predecessors: tuple[int, ...], seconds: float) -> Any:
        if self._passing == "nothing":
            return definition(task_id=f"n{number}", seconds=seconds)
        if self._passing == "context":
            sources = [f"n{before}" for before in predecessors]
            return definition(task_id=f"n{number}", sources=sources, seconds=seconds)
        names = ", ".join(f"n{before}" for before in predecessors)
        working = f"spin({seconds!r})" if seconds else "pass"
        made: dict[str, Any] = {"spin": spin, "value": value}
        exec(f"def n{number}({names}):\n    {working}\n    return value([{names}])\n", made)
        return self.library.task(made[f"n{number}"])

    def seconds(self, shape: Shape, seconds: float = 0) -> tuple[float, dict[str, float]]:
        """How long running a graph takes whose tasks compute for `seconds`, and what else is worth a note."""
        flows: list[Any] = []
        building = stopwatch(lambda: flows.append(self.build(shape, seconds)))
        answers: list[tuple[Any, Any]] = []
        running, spent = watched(lambda: answers.append(self.execute(flows[0], len(shape))), len(shape))
        context = answers[0][1]
        expected = values(shape) if self._passing != "nothing" else [1] * len(shape)
        if any(context.get_result(f"n{number}") != result for number, result in enumerate(expected)):
            raise RuntimeError("a task has another result than it should have")
        return running, {"building, µs each": building / len(shape) * 1e6, **spent}


class GraphTasks(Graph):
    """One of `SHAPES`, or of Task Bench's patterns 20 wide, with bodies that do nothing: µs a task."""

    def __init__(self, shape: str, **how: Any) -> None:
        super().__init__(**how)
        self._shape = shape

    def run(self, size: int) -> Mapping[str, float]:
        shape = named(self._shape, size)
        running, notes = self.seconds(shape)
        return {"value": running / len(shape) * 1e6, **notes}


class PeerGraph:
    """A graph run by a peer: µs a task."""

    def __init__(self, peer: str, shape: str, passing: bool = True) -> None:
        self._peer, self._shape, self._passing = PEERS[peer](), shape, passing

    def run(self, size: int) -> float:
        shape = named(self._shape, size)
        return peer_seconds(self._peer, shape, 0, self._passing) / len(shape) * 1e6

    def close(self) -> None:
        self._peer.close()


def named(name: str, size: int) -> Shape:
    """The graph of this name, with about `size` tasks."""
    return SHAPES[name](size) if name in SHAPES else pattern(name, 20, size)


def peer_seconds(peer: Any, shape: Shape, seconds: float, passing: bool) -> float:
    """How long a peer takes for a graph; an error if a result is wrong."""
    answers: list[list[int]] = []
    body = after if passing else alone
    taken = stopwatch(lambda: answers.append(peer.graph(body, shape, seconds, passing)))
    if answers[0] != (values(shape) if passing else [1] * len(shape)):
        raise RuntimeError("a task has another result than it should have")
    return taken
