"""The body of a task that is handed its run's LLM client or agent: called with them beside its other arguments.

Owns which parameters they go to in a call. Where they come from is the context's of the running task.
"""

from __future__ import annotations

from graflow_fast.core.running import running
from graflow_fast.core.signatures import injected_names, read_parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from graflow_fast.core.definition import Definition


def function_of(definition: Definition) -> Callable[..., Any]:
    """Return how to call a body: the function itself, or what adds the client and the agent that it asks for."""
    return definition.func if definition.injected is None else _Injecting(definition)


class _Injecting:
    """A body and what it is handed.

    Attributes:
        places: parameter -> None for the client, or the name of the agent.
    """

    def __init__(self, definition: Definition) -> None:
        assert definition.injected is not None, "it is handed nothing"
        self.function = definition.func
        self.inject_context = definition.inject_context
        self.positional = [each.name for each in read_parameters(definition.func, definition.inject_context)[0]]
        self.places = injected_names(self.positional, definition.injected)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the body; what is given by position goes to the parameters that are open."""
        task_context = running.task_context
        context = task_context.execution_context
        given, rest = (args[:1], args[1:]) if self.inject_context else ((), args)
        if rest:
            names = [name for name in self.positional if name not in self.places]
            kwargs.update(zip(names, rest, strict=False))
        for name, agent in self.places.items():
            if name not in kwargs:  # or a test calls it with its own
                kwargs[name] = context.llm_client if agent is None else self._agent(task_context, agent)
        return self.function(*given, **kwargs)

    @staticmethod
    def _agent(task_context: Any, name: str) -> Any:
        try:
            return task_context.execution_context.get_llm_agent(name)
        except KeyError:
            raise RuntimeError(
                f"Task '{task_context.task_id}' requires LLMAgent '{name}', but it's not registered. "
                f"Register it with: context.register_llm_agent('{name}', agent)"
            ) from None
