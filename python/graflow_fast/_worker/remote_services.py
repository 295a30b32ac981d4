"""What an installed graflow lends a run, as bodies in a worker get it: copies, asked for when they are used.

Owns what this worker holds of one run. Requests for feedback are the coordinator's: its backend keeps them, so what
people answer there arrives here, and graflow's manager waits for it here.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graflow_fast._borrowed import lent
from graflow_fast.core.services import Services, packed, unpacked

if TYPE_CHECKING:
    from graflow_fast._worker.remote import WorkerContext
    from graflow_fast.channels.base import Channel

#: What a backend of feedback does for the coordinator's.
OPERATIONS = (
    "store_request",
    "get_request",
    "store_response",
    "get_response",
    "list_pending_requests",
    "list_requests",
)


class Held:
    """What this worker has of one run.

    Attributes:
        run: its trace id.
        services: "client" or "prompts" -> the object.
        agents: name -> serial and agent.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.services: dict[str, Any] = {}
        self.agents: dict[str, tuple[int, Any]] = {}


_held = Held("")


def services_of(context: WorkerContext) -> RemoteServices:
    """Return what the run of a context is lent, for a body of it."""
    global _held
    if _held.run != context.trace_id:
        _held = Held(context.trace_id)
    return RemoteServices(context, _held)


class RemoteServices(Services):
    """The services of one body's run."""

    def __init__(self, context: WorkerContext, held: Held) -> None:
        super().__init__()
        self._context = context
        self._held = held

    def _ask(self, *question: Any) -> Any:
        return self._context.ask("lent", *question)

    def _of_run(self, name: str, default: Callable[[], Any]) -> Any:
        found = self._held.services.get(name)
        if found is None:
            content: bytes | None = self._ask(name)
            found = default() if content is None else pickle.loads(content)
            self._held.services[name] = found
        return found

    def llm_client(self) -> Any:
        """Return a copy of the run's client."""
        return self._of_run("client", super().llm_client)

    def prompt_manager(self) -> Any:
        """Return a copy of the run's manager of prompts."""
        return self._of_run("prompts", super().prompt_manager)

    def feedback_manager(self, config: dict[str, Any], channel: Channel) -> Any:
        """Return a manager of feedback whose backend is the coordinator's."""
        if self.feedback is None:
            base = lent("hitl.backend.base", "").FeedbackBackend
            made = lent("hitl.manager", "").FeedbackManager
            self.feedback = made(backend=_backend(base, self._ask), channel_manager=self._context.channel)
        return self.feedback

    def register(self, name: str, agent: Any, maker: Callable[[Any], Any] | None = None) -> None:
        """Register an agent with the run."""
        self._ask("register", name, packed(agent, maker))

    def agent(self, name: str, context: Any) -> Any:
        """Return a copy of a registered agent, made anew when another one has its name.

        Raises:
            KeyError: there is none of that name.
        """
        serial, agent = self._held.agents.get(name, (0, None))
        latest, content = self._ask("agent", name, serial)
        if content is not None:
            agent = unpacked(content, context)
            self._held.agents[name] = latest, agent
        return agent


def _backend(base: type, ask: Callable[..., Any]) -> Any:
    """Return a backend of graflow's that has the coordinator's do everything."""

    def operation(name: str) -> Callable[..., Any]:
        return lambda self, *arguments: ask("feedback", name, arguments)

    return type("RemoteFeedbackBackend", (base,), {name: operation(name) for name in OPERATIONS})()
