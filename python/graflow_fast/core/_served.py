"""What contexts hand out of an installed graflow: the run's client, agents, prompts and manager of feedback.

Owns that it is one of each for a run, whichever branch asks. What they are, and how they are made, is `services`'.
"""

from __future__ import annotations

from _thread import RLock

TYPE_CHECKING = False  # `typing` is slow to import, and most programs ask for none of these
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast.channels.base import Channel
    from graflow_fast.core.services import Services

_making = RLock()


class Served:
    """The part of `ExecutionContext` that hands out what graflow lends."""

    parent_context: Any
    session_id: str
    channel: Channel
    _original_config: dict[str, Any]
    #: The run's, at its root.
    _services: Services | None = None

    @property
    def services(self) -> Services:
        """What the whole run is lent."""
        root: Served = self
        while root.parent_context is not None:
            root = root.parent_context
        if root._services is None:
            with _making:
                if root._services is None:
                    from graflow_fast.core.services import Services

                    root._services = Services()
        return root._services

    @property
    def llm_client(self) -> Any:
        """The run's LLM client of graflow's; by default one of the model ``GRAFLOW_LLM_MODEL``."""
        return self.services.llm_client()

    @property
    def prompt_manager(self) -> Any:
        """The run's prompt manager of graflow's; by default one of the files in ``GRAFLOW_PROMPTS_DIR``."""
        return self.services.prompt_manager()

    @property
    def feedback_manager(self) -> Any:
        """The run's manager of human feedback of graflow's; by default one of files in ``feedback_data``."""
        root: Served = self
        while root.parent_context is not None:
            root = root.parent_context
        return self.services.feedback_manager(self._original_config, root.channel)

    @feedback_manager.setter
    def feedback_manager(self, manager: Any) -> None:
        self.services.feedback = manager

    def register_llm_agent(self, name: str, agent: Any) -> None:
        """Register an LLM agent for tasks with ``inject_llm_agent=name``."""
        self.services.register(name, agent)

    def get_llm_agent(self, name: str) -> Any:
        """Return a registered LLM agent.

        Raises:
            KeyError: there is none of that name.
        """
        return self.services.agent(name, self)
