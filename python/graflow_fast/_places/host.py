"""What a place asks of the run whose bodies it runs: contracts only, for type checking, each no more than is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from graflow_fast._actions import Action
    from graflow_fast._body.output import OutputStream
    from graflow_fast._body.scope import LiveStore
    from graflow_fast._core import Branches as CoreBranches
    from graflow_fast._core import NodeIds, PlainJournal, Pool, Scheduler, StepCounts, Versions
    from graflow_fast._places.attempt import Attempt, Branch, Fork, TaskAttempt
    from graflow_fast._places.bodies import Bodies
    from graflow_fast._places.placement import Placement
    from graflow_fast._pool.process_pool import ProcessPool
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.handler import TaskHandler
    from graflow_fast.core.task import Executable
    from graflow_fast.core.workflow import WorkflowContext


class Settings(Protocol):
    """The options of a run that concern places."""

    seed: int
    timeout: float | None
    memory_limit: int | None
    initializer: Callable[[], Any] | None

    def resolved_executor(self) -> str:
        """Return where bodies run that say nothing: auto, inline, thread or process."""

    def resolved_workers(self) -> int:
        """Return the number of workers or threads."""

    def checkout(self) -> ProcessPool:
        """Return a pool for the run: of this machine, or of the engine that was given."""

    def check_environment(self) -> None:
        """Look at the variables that only workers read, before any is started."""


class Watcher(Protocol):
    """What shows a run while it goes."""

    def watch(self, pool: Pool) -> None:
        """Show what the workers of a pool do, too."""


class Teller(Protocol):
    """What tells `logging` of a run."""

    def hears_warnings(self) -> bool:
        """Say whether somebody listens to what should not be."""

    def slow(self, task_id: str, more: int, seconds: float, others: float, pid: int) -> None:
        """Say that a body runs much longer than others of its function."""

    def lost_worker(self, pid: int, how: str, then: str) -> None:
        """Say that a worker is gone, of which no task will tell."""


class Nodes(Protocol):
    """The nodes of a run: names and tasks by number."""

    names: list[str]
    tasks: list[Executable]
    ids: NodeIds
    graph: TaskGraph


class Source(Protocol):
    """What knows attempts under way that have no record yet."""

    def attempt(self, ticket: int) -> tuple[int, int, int, int, int, int | None] | None:
        """Return of an attempt its node, branch, cause, number, tag and version of the channel; None of others."""

    def forget(self, ticket: int) -> None:
        """Apply nothing of an attempt."""

    def tickets(self) -> list[int]:
        """Return the tickets of all of them."""


class Attempts(Protocol):
    """The attempts under way.

    Attributes:
        running: by ticket, those whose bodies run elsewhere or wait there; chunks of maps among them.
        inline: the one whose body runs in the driver's thread, if any does.
        sources: what knows attempts under way that have no record yet.
    """

    running: dict[int, Attempt]
    inline: TaskAttempt | None
    sources: list[Source]

    def find(self, ticket: int) -> Attempt | None:
        """Return a running attempt; None when it is unknown."""

    def take(self, ticket: int) -> Attempt | None:
        """Return an attempt that is running no longer, None when it is unknown (abandoned before)."""

    def begun(self, ticket: int) -> None:
        """Note that an attempt begins which the run has to know of."""

    def shown(self, node: int, branch_id: int) -> None:
        """Tell the tracer of an attempt that begins in the pool and of which there is no record."""

    def shown_end(self, node: int, branch_id: int, ended: float) -> None:
        """Tell the tracer that such an attempt has ended well, at this time since the epoch."""

    def count(self, context: ExecutionContext, task_id: str, base_id: str, number: int) -> None:
        """Count the start of an attempt."""

    def of_step(self, action: Action, started: float) -> TaskAttempt:
        """Return the attempt of a plain step that began then and has just ended."""


class Branches(Protocol):
    """The branches and forks under way."""

    @property
    def core(self) -> CoreBranches:
        """What keeps what branches do without Python."""

    def branch(self, branch_id: int) -> Branch:
        """Return a branch."""

    def output_of(self, branch_id: int) -> OutputStream:
        """Return where a branch's output goes, without a record of the branch."""

    def fork_of(self, branch_id: int) -> Fork:
        """Return the group that a branch belongs to."""

    def forks(self) -> Sequence[Fork]:
        """Return the groups under way."""


class Tags(Protocol):
    """What the scheduler's tags mean: iterations, and tasks that run in place of a node's own."""

    def meaning(self, tag: int) -> tuple[Executable | None, str | None, Any, int | None]:
        """Return of a tag the task to run in place of the node's own, the iteration's id and data, and its cause."""

    def name_of(self, tag: int, name: str) -> str:
        """Return the id of the iteration with that tag, ``name`` for what is none."""

    def task_of(self, tag: int) -> Executable | None:
        """Return the task that is to run in place of the node's own, None for the node's own."""

    def new_tag(self, name: str, data: Any, cause: int) -> int:
        """Return the tag by which the scheduler will name an iteration."""

    def drop(self, tag: int) -> None:
        """Forget what has completed."""


class Failures(Protocol):
    """How nodes failed: node id -> what it failed with at last, in a line."""

    failed: dict[int, str]


class Resources(Protocol):
    """What there is of what tasks take."""

    def at_once(self, definition: Definition) -> int:
        """Return how many bodies of a definition that takes something may run at once."""


class Host(Protocol):
    """What every place needs of a run.

    Attributes:
        live: the live keys, and who holds which.
        live_output: whether what bodies print is shown as they print it.
        handlers: the registered handlers, by name.
        bodies: calls bodies in this process.
        scheduler: is told when bodies ran.
    """

    scheduler: Scheduler
    live: LiveStore
    live_output: bool
    handlers: dict[str, TaskHandler]
    bodies: Bodies

    @property
    def shown(self) -> Watcher | None:
        """What shows the run while it goes, None when nobody looks."""

    @property
    def log(self) -> Teller | None:
        """What tells `logging` of it, None in a program that does not log."""

    @property
    def settings(self) -> Settings:
        """Its options."""

    @property
    def nodes(self) -> Nodes:
        """Its nodes."""

    @property
    def attempts(self) -> Attempts:
        """Its attempts under way."""

    @property
    def resources(self) -> Resources:
        """What there is of what tasks take."""


class StepHost(Host, Protocol):
    """What the short way for plain steps needs.

    Attributes:
        silent: whether the tracer need not be told of each task.
        parallel: whether everything ready runs at once.
        note_task: notes for the tracer that a task ran, None when nobody wants to know.
        last_result: of the workflow's own branch.
    """

    context: ExecutionContext
    placement: Placement
    silent: bool
    parallel: bool
    note_task: Callable[..., None] | None
    last_result: object

    @property
    def root(self) -> Branch:
        """The workflow's own branch."""

    @property
    def branches(self) -> Branches:
        """Its branches and forks under way."""

    @property
    def keeps_all(self) -> bool:
        """Whether no result is forgotten before the end."""

    @property
    def is_durable(self) -> bool:
        """Whether all that ends is written down."""

    def plain_journal(self) -> PlainJournal | None:
        """Return what writes down how plain steps end, None where there are none: in a run that is not durable, too."""

    def step_counts(self) -> StepCounts:
        """Return what counts the starts and completions of the workflow's own tasks, by node."""

    def next(self) -> Action | None:
        """Return the scheduler's next action, None when something must be waited for first."""


class PoolHost(StepHost, Protocol):
    """What worker processes need.

    Attributes:
        workflow_around: the workflow that is current where the run was started.
    """

    workflow_around: WorkflowContext | None

    @property
    def tags(self) -> Tags:
        """What the scheduler's tags mean."""

    @property
    def failures(self) -> Failures:
        """How its nodes failed."""

    @property
    def versions(self) -> Versions | None:
        """What keeps old values of the channel for concurrent tasks, None in a sequential run."""

    @property
    def group_count(self) -> int:
        """How many groups without a name the workflow has made."""
