"""What a run is lent by an installed graflow, for bodies in workers: as bytes, or done here for them.

Owns what a worker is told when it asks. Must not know what graflow's parts do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._wire import by_value
from graflow_fast._wire.serialization import explain_unpicklable

if TYPE_CHECKING:
    from graflow_fast._places.attempt import Attempt
    from graflow_fast.core.services import Packed, Services


def answer(attempt: Attempt, what: str, arguments: tuple[Any, ...]) -> Any:
    """Answer one question about what the run is lent.

    Args:
        attempt: whose body asks.
        what: "client", "prompts", "agent", "register" or "feedback".
        arguments: of the question.

    Raises:
        TaskSerializationError: what is wanted can't be sent to a worker.
        KeyError: there is no such agent.
    """
    context = attempt.branch.context
    services = context.services
    if what == "feedback":
        operation, given = arguments
        return getattr(context.feedback_manager._backend, operation)(*given)
    if what == "register":
        services.register_packed(*arguments)
        return None
    if what == "agent":
        return _agent(attempt.task_id, services, *arguments)
    value = services.client if what == "client" else services.prompts
    if value is None:
        return None
    try:
        return by_value.dumps(value)
    except Exception as error:
        name = "the LLM client" if what == "client" else "the prompt manager"
        raise explain_unpicklable(attempt.task_id, name, value, error) from error


def _agent(task_id: str, services: Services, name: str, known: int) -> tuple[int, Packed | None]:
    """Return an agent's serial and, unless the worker has that one, the agent as bytes."""
    found = services.agents.get(name)
    if found is None:
        raise KeyError(f"LLMAgent '{name}' not found in registry")
    if found.serial == known:
        return known, None
    try:
        return found.serial, services.packed_agent(name)
    except Exception as error:
        what = f"the LLM agent '{name}', for which no function that makes it is registered,"
        raise explain_unpicklable(task_id, what, found.value, error) from error
