"""The names of tasks that wait in a context while no run is under way. Decides no order."""

from __future__ import annotations

from collections import deque


class WaitingTasks(deque[str]):
    """The ids of tasks that wait to run, first come first served."""

    def to_list(self) -> list[str]:
        """Return the ids, next one first."""
        return list(self)

    def size(self) -> int:
        """Return how many wait."""
        return len(self)

    def is_empty(self) -> bool:
        """Say whether none waits."""
        return not self

    def peek_next_node(self) -> str | None:
        """Return the next id without taking it, None when none waits."""
        return self[0] if self else None

    def get_next_task(self) -> str | None:
        """Take the next id, None when none waits."""
        return self.popleft() if self else None

    def cleanup(self) -> None:
        """Forget all."""
        self.clear()
