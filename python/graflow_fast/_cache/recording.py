"""What a body does while it runs for the cache: what it asks, writes and wants, to be done again without it.

Owns the stand-ins for the body's context, channel and graph. All goes on to the real ones at once; what can't be done
again later is noted as the reason why nothing is kept. Must not know entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from graflow_fast._cache.asking import ABSENT, Question, answer
from graflow_fast._cache.value_keys import NoKeyError
from graflow_fast._cache.watch import FIXED
from graflow_fast.channels.base import Channel

__all__ = ["ChannelStandIn", "ContextStandIn", "Recording"]

T = TypeVar("T")

#: What a context says that a later run may be asked again: attributes, and calls without arguments.
_ATTRIBUTES = frozenset(("task_id", "cycle_count", "max_cycles", "retry_count", "max_retries", "seed"))
_CALLS = frozenset(("can_iterate",))
#: What is the body's own, or of no consequence.
_FREE = frozenset(("local_data", "set_local_data", "get_local_data", "progress"))


class Recording:
    """What one body has done so far.

    Args:
        key_of: returns the key of a value; raises `NoKeyError`.

    Attributes:
        asked: questions and the keys of their answers, in order, each once.
        steps: what to do again: ("write", operation, key, value, ttl) and ("want", method, arguments).
        refused: why nothing can be kept, None as long as it can.
    """

    def __init__(self, key_of: Callable[[Any], bytes]) -> None:
        self._key_of = key_of
        self.asked: dict[Question, bytes] = {}
        self.steps: list[tuple[Any, ...]] = []
        self.refused: str | None = None
        self._answers: list[tuple[Question, Any]] = []

    def note(self, question: Question, answered: Any) -> None:
        """Note a question and its answer."""
        if question in self.asked or self.refused is not None:
            return
        try:
            self.asked[question] = self._key_of(answered)
        except NoKeyError as error:
            self.refuse(f"it reads {_words(question)}, and {error}")
            return
        if type(answered) not in FIXED:
            self._answers.append((question, answered))

    def refuse(self, why: str) -> None:
        """Note that nothing can be kept; the first reason counts."""
        if self.refused is None:
            self.refused = why

    def look_again(self) -> None:
        """Refuse if the body has changed something in place that it had read."""
        for question, answered in self._answers:
            try:
                same = self._key_of(answered) == self.asked[question]
            except NoKeyError:
                same = False
            if not same:
                self.refuse(f"it changes {_words(question)} in place")


def _words(question: Question) -> str:
    return f"'{question[1]}' of the channel" if len(question) > 1 else str(question[0])


class ContextStandIn:
    """Stands for the context of a body that is recorded.

    Args:
        real: the context; recording: what notes it.
    """

    def __init__(self, real: Any, recording: Recording) -> None:
        self.__dict__.update(_real=real, _recording=recording, _channel=None)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        from graflow_fast.core.task_context import TaskExecutionContext

        return TaskExecutionContext

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name in _ATTRIBUTES:
            self._recording.note(("attribute", name), found)
        elif name not in _FREE:
            self._recording.refuse(f"it uses ctx.{name}")
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        self._recording.refuse(f"it sets ctx.{name}")
        setattr(self._real, name, value)

    def __str__(self) -> str:
        self._recording.refuse("it shows its context")
        return str(self._real)

    __repr__ = __str__

    def can_iterate(self) -> bool:
        """Say whether the real one may iterate."""
        found = bool(self._real.can_iterate())
        self._recording.note(("call", "can_iterate"), found)
        return found

    # --- data

    def get_channel(self) -> Channel:
        """Return what stands for the channel."""
        channel: ChannelStandIn | None = self._channel
        if channel is None:
            channel = self.__dict__["_channel"] = ChannelStandIn(self._real.get_channel(), self._recording)
        return channel

    def get_typed_channel(self, message_type: type[T]) -> Any:
        """Return the same as one of messages."""
        from graflow_fast.channels.typed import TypedChannel

        return TypedChannel(self.get_channel(), message_type)

    def get_result(self, node: str, default: Any = None) -> Any:
        """Return a task's result."""
        return self.get_channel().get(f"{node}.__result__", default)

    @property
    def graph(self) -> Any:
        """What stands for the graph."""
        return _GraphStandIn(self._real, self._recording)

    # --- wishes

    def next_task(self, executable: Any, goto: bool = False) -> str:
        """Ask for a task."""
        real, recording = self._real, self._recording
        links = real.links_made
        name: str = real.next_task(executable, goto=goto)
        if real._groups_made:
            recording.note(("group",), answer(real, ("group",)))  # what the first one is called
        if links is not None:
            from graflow_fast.core.composition import Fragment

            executable = Fragment(executable, links)
        recording.steps.append(("next", executable, bool(goto)))
        return name

    def next_iteration(self, data: Any = None) -> str:
        """Ask for an iteration."""
        self._recording.note(("iteration",), answer(self._real, ("iteration",)))
        name: str = self._real.next_iteration(data)
        self._recording.steps.append(("want", "next_iteration", (data,)))
        return name

    def terminate_workflow(self, message: str = "") -> None:
        """Ask for the workflow's end."""
        self._real.terminate_workflow(message)
        self._recording.steps.append(("want", "terminate_workflow", (message,)))

    def cancel_workflow(self, message: str = "") -> None:
        """Ask for the workflow's cancellation: this task does not complete."""
        self._recording.refuse("")
        self._real.cancel_workflow(message)

    def checkpoint(
        self, metadata: dict[str, Any] | None = None, *, path: str | None = None, deferred: bool = True
    ) -> Any:
        """Ask for a checkpoint."""
        if not deferred:
            self._recording.refuse("it writes a checkpoint at once")
        written = self._real.checkpoint(metadata, path=path, deferred=deferred)
        self._recording.steps.append(("want", "checkpoint", (metadata, path)))
        return written


class _GraphStandIn:
    """Stands for the graph: tasks are found in it by name; all else depends on more than could be asked again."""

    def __init__(self, real: Any, recording: Recording) -> None:
        self._real = real.graph
        self._recording = recording

    def get_node(self, name: str) -> Any:
        """Return a task."""
        try:
            found = self._real.get_node(name)
        except Exception:
            self._recording.note(("node", name), False)
            raise
        self._recording.note(("node", name), True)
        return found

    def __getattr__(self, name: str) -> Any:
        self._recording.refuse(f"it uses ctx.graph.{name}")
        return getattr(self._real, name)


class ChannelStandIn(Channel):
    """Stands for the channel.

    Args:
        real: the channel; recording: what notes it.
    """

    def __init__(self, real: Channel, recording: Recording) -> None:
        super().__init__(real.name)
        self._real = real
        self._recording = recording
        #: Keys that the body has set or deleted itself, and how many items it has added before and behind others.
        self._own: set[str] = set()
        self._added: dict[str, list[int]] = {}
        self._set: dict[str, Any] = {}
        #: Those of them that were not there before.
        self._new: set[str] = set()

    def _reads(self, key: str) -> Any:
        """Return what is under a key, `ABSENT` for nothing; what it held before this body is noted."""
        value = self._real.get(key) if self._real.exists(key) else ABSENT
        if key in self._own:
            return value
        before = value
        if key in self._added:
            front, end = self._added[key]
            before = ABSENT if key in self._new else value[front : len(value) - end]
        self._recording.note(("get", key), before)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value."""
        value = self._reads(key)
        return default if value is ABSENT else value

    def exists(self, key: str) -> bool:
        """Say whether there is a value."""
        found = self._real.exists(key)
        if key not in self._own and key not in self._added:
            self._recording.note(("exists", key), found)
        return found

    def keys(self) -> list[str]:
        """Return all keys."""
        found = self._real.keys()
        if self._own or self._added:
            self._recording.refuse("it looks at all keys of the channel after it has written some")
        self._recording.note(("keys",), found)
        return found

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Set a value."""
        self._real.set(key, value, ttl)
        self._own.add(key)
        self._set[key] = value
        self._recording.steps.append(("write", "set", key, value, ttl))

    def delete(self, key: str) -> bool:
        """Remove a key."""
        self.exists(key)
        existed = self._real.delete(key)
        self._own.add(key)
        self._set.pop(key, None)
        self._recording.steps.append(("write", "delete", key, None, None))
        return existed

    def clear(self) -> None:
        """Remove everything."""
        self._recording.refuse("it clears the channel")
        self._real.clear()

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add at the end."""
        return self._add("append", key, value, ttl)

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add at the front."""
        return self._add("prepend", key, value, ttl)

    def _add(self, operation: str, key: str, value: Any, ttl: int | None) -> int:
        if key not in self._own and key not in self._added:
            before = self._real.get(key) if self._real.exists(key) else ABSENT
            # How long the list is now, which the body is told.
            self._recording.note(("length", key), len(before) if isinstance(before, list) else before)
            if before is ABSENT:
                self._new.add(key)
            self._added[key] = [0, 0]
        length: int = getattr(self._real, operation)(key, value, ttl)
        if key in self._added:
            self._added[key][operation == "append"] += 1
        elif ttl is None and self._set.get(key, ABSENT) is self._real.get(key):
            return length  # it is in the very list that the body has set, which is kept as it is at the body's end
        self._recording.steps.append(("write", operation, key, value, ttl))
        return length

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Add for everybody, which can't be done again."""
        self._recording.refuse("it uses atomic_add, which others see at once")
        return self._real.atomic_add(key, amount)

    @contextmanager
    def lock(self, key: str, timeout: float = 10.0) -> Iterator[None]:
        """Hold a lock, which can't be done again."""
        self._recording.refuse("it holds a lock, within which it sees what others do")
        with self._real.lock(key, timeout):
            yield

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        self._recording.refuse(f"it uses {name} of the channel")
        return getattr(self._real, name)
