"""The context of a branch whose bodies run elsewhere, as a tracer is shown it: complete when more of it is asked for.

Owns what can be said of such a branch without its record. Must not know who asks, nor where bodies run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast.core.context import ExecutionContext

if TYPE_CHECKING:
    from typing import Protocol

    from graflow_fast._run.branches.branches import Branch, Fork

    class Branches(Protocol):
        """The branches under way."""

        def find(self, branch_id: int) -> Branch | None:
            """Return the record of a branch, None when it is over."""


_OWN = ("_fork", "_branch_id", "_branches")


class UnseenContext(ExecutionContext):
    """A branch's context with what tracers commonly look at. At the first other use it becomes an ordinary one.

    Args:
        fork: the group that the branch belongs to.
        branch_id: the branch's number.
        branches: where to ask for its record.
    """

    _fork: Fork
    _branch_id: int
    _branches: Branches
    current_task_context = None

    def __init__(self, fork: Fork, branch_id: int, branches: Branches) -> None:
        parent = fork.parent.context
        self.__dict__.update(
            _fork=fork,
            _branch_id=branch_id,
            _branches=branches,
            _group=fork.group_name,
            parent_context=parent,
            trace_id=parent.trace_id,
            tracer=parent.tracer.clone(parent.trace_id),
        )

    @property
    def session_id(self) -> str:  # type: ignore[override]
        """The id of the branch."""
        return f"{self._fork.parent.context.session_id}_{self._name}"

    @property
    def _name(self) -> str:
        return self._fork.member_name(self._branch_id - self._fork.first)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in _OWN:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        branch = self._branches.find(self._branch_id)
        if branch is None:
            self.become(self._fork.parent.context.create_branch_context(self._name, tracer=self.tracer))
        else:
            assert branch.context is self, "whoever makes the record of a branch knows the context that was shown"
        return getattr(self, name)

    def become(self, made: ExecutionContext) -> None:
        """Be that context from now on; nobody else has seen it yet."""
        for name in _OWN:
            del self.__dict__[name]
        self.__dict__.update(made.__dict__)
        self.__class__ = ExecutionContext  # type: ignore[assignment]
