"""What became of a map's items, in item order: results, writes, directives, output, spans. Tries nothing again."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any

from graflow_fast.core.mapping import MapTask
from graflow_fast.core.task import TaskWrapper

if TYPE_CHECKING:
    from graflow_fast._body.scope import Operation
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.maps.batches import Batch

#: So many results may wait for whoever streams them, and so many batches behind the oldest unfinished one.
_MOST_WAITING = 1 << 16
_MOST_AHEAD = 64


class Results:
    """The outcome of one map, as far as it is known.

    Attributes:
        batches: those that are not finished, oldest first.
        stop_at: the index from which on nothing counts, None: everything does.
        sink: where results are handed to as they come, when somebody streams them.
        keeps: whether they are put into `values` as well.
        failed: (index, error, what the caller sees of it) of the items that failed for good.
        log, directives: what the items wrote and asked for.
        total: how many items have counted.
        said_until: the index up to which something that items said was given to the branch's output.
    """

    def __init__(self, attempt: Attempt) -> None:
        task: Any = attempt.task
        self._attempt = attempt
        self._task: MapTask = task
        self.batches: deque[Batch] = deque()
        self.stop_at: int | None = None
        self.sink: deque[Any] | None = None
        self.keeps = True
        self.values: list[Any] = []
        self.failed: list[tuple[int, BaseException, BaseException]] = []
        self.log: list[Operation] = []
        self.directives: list[tuple[Any, ...]] = []
        self.total = 0
        self.said_until = 0

    def counts(self, index: int) -> bool:
        """Say whether the item with that index counts."""
        return self.stop_at is None or index < self.stop_at

    def are_full(self) -> bool:
        """Say whether whoever streams the results should take some before more items are run."""
        return self.sink is not None and (len(self.sink) > _MOST_WAITING or len(self.batches) > _MOST_AHEAD)

    def stop(self, index: int) -> Batch | None:
        """Let nothing from an item on count; return the last batch that still does."""
        self.stop_at = index
        while self.batches and self.batches[-1].first >= index:
            self.batches.pop()
        return self.batches[-1] if self.batches else None

    def release(self) -> None:
        """Let the results of finished batches out, oldest first."""
        if not self._task.ordered:
            for batch in self.batches:
                if batch.open == 0 and batch.results:
                    self._let_out(batch)
                    batch.results = []
        while self.batches and self.batches[0].open == 0:
            self._end(self.batches.popleft())

    def _end(self, batch: Batch) -> None:
        size = len(batch.items)
        if self.stop_at is not None:
            size = min(size, self.stop_at - batch.first)
        output = self._attempt.branch.output
        if batch.pieces:
            self.said_until = batch.first + size
            for position, pieces in sorted(batch.pieces, key=lambda entry: entry[0]):
                if position < size:
                    output.write(pieces)
        for position, log in sorted(batch.logs, key=lambda entry: entry[0]):
            if position < size:
                self.log.extend(log)
        for position, directives in sorted(batch.directives, key=lambda entry: entry[0]):
            if position < size:
                self.directives.extend(directives)
        if batch.failed or batch.prior:
            self._note_failures(batch, size)
        if batch.spans:
            self._trace(batch, size)
        if batch.results and self._task.ordered:
            self._let_out(batch)
        self.total += size

    def _let_out(self, batch: Batch) -> None:
        results = batch.results
        for position, (error, _) in batch.failed.items():
            results[position] = error
        if self.stop_at is not None and self.stop_at < batch.first + len(results):
            del results[self.stop_at - batch.first :]
        streamed = results
        on_error = self._task.on_error
        if batch.failed and on_error != "keep":
            without = [result for position, result in enumerate(results) if position not in batch.failed]
            if on_error == "skip":
                results = streamed = without
            elif on_error == "raise" or self._task._execution_config["policy"] == "strict":
                streamed = without
        if self.sink is not None:
            self.sink.extend(streamed)
        if self.keeps:
            self.values.extend(results)

    def _note_failures(self, batch: Batch, size: int) -> None:
        controller = self._attempt.branch.context.retry_controller
        for position, (error, final) in sorted(batch.failed.items()):
            if position < size:
                self.failed.append((batch.first + position, error, final))
        for position in range(len(batch.items)):
            item_id = f"{self._attempt.task_id}[{batch.first + position}]"
            for table in (controller.retry_counts, controller.node_policies, controller.node_max_retries):
                table.pop(item_id, None)

    def _trace(self, batch: Batch, size: int) -> None:
        context = self._attempt.branch.context
        definition = self._task.task._definition
        for position, started, ended, error in sorted(batch.spans, key=lambda span: span[:2]):
            if position >= size:
                break
            name = f"{self._attempt.task_id}[{batch.first + position}]"
            item = TaskWrapper(name, definition, register_to_context=False)
            with context.tracer.at(datetime.fromtimestamp(started)):
                context.tracer.on_task_start(item, context)
            with context.tracer.at(datetime.fromtimestamp(ended)):
                context.tracer.on_task_end(item, context, result=None, error=error)
