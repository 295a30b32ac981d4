"""What an installed graflow lends the bodies of a run: an LLM client, agents, prompts, and a manager of human feedback.

Owns one of each for a run, whichever branch asks, and how they are found or made. What they do is graflow's; how they
get into a worker is `_worker.remote_services`'. Must not know tasks.
"""

from __future__ import annotations

import contextlib
import os
from _thread import RLock
from typing import TYPE_CHECKING, Any

from graflow_fast._borrowed import is_installed, lent
from graflow_fast.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast.channels.base import Channel

#: An agent as bytes: what they are (`PICKLED`, `DESCRIBED`, `MAKER`), and the bytes.
Packed = tuple[str, bytes]
PICKLED, DESCRIBED, MAKER = "pickled", "described", "maker"

_WHERE = "needs graflow beside graflow_fast: pip install 'graflow-fast[graflow]'"
_DEFAULT_MODEL = "gpt-5-mini"


def injection(task_id: str, client: bool, agent: str | None) -> tuple[bool, str | None] | None:
    """Return what a definition says of the LLMs that its body is handed.

    Raises:
        ConfigError: graflow is not installed, or the agent is no name.
    """
    option = "inject_llm_client" if client else "inject_llm_agent"
    if agent is not None and not isinstance(agent, str):
        raise ConfigError(f"Task '{task_id}': inject_llm_agent={agent!r} must be the name of a registered agent")
    if not is_installed():
        raise ConfigError(f"Task '{task_id}': {option} {_WHERE}")
    return bool(client), agent


def attach_agent(context: Any, name: str, provider: Any) -> None:
    """Register an agent, or what a function makes of the context, in a new run.

    Raises:
        ConfigError: graflow is not installed.
        TypeError: it is neither.
    """
    without = f"register_llm_agent({name!r}) {_WHERE}"
    if isinstance(provider, lent("llm.agents.base", without).LLMAgent):
        context.services.register(name, provider)
    elif callable(provider):
        context.services.register(name, provider(context), provider)
    else:
        raise TypeError(f"LLMAgent provider for '{name}' must be LLMAgent or callable")


class Agent:
    """A registered agent.

    Attributes:
        serial: how many were registered before it: workers tell by that whether theirs is the latest.
        value: the agent; None: it came as bytes and nobody has asked for it here.
        maker: what it was made by, None if it was given.
        packed: as bytes, once somebody wanted them.
    """

    __slots__ = ("maker", "packed", "serial", "value")

    def __init__(
        self, serial: int, value: Any, maker: Callable[[Any], Any] | None = None, packed: Packed | None = None
    ) -> None:
        self.serial = serial
        self.value = value
        self.maker = maker
        self.packed = packed


class Services:
    """What graflow lends one run.

    Attributes:
        client, prompts: as given or made; None: nobody has asked yet.
        feedback: likewise the manager of human feedback.
        agents: by name.
    """

    def __init__(self, client: Any = None, prompts: Any = None) -> None:
        self.client = client
        self.prompts = prompts
        self.feedback: Any = None
        self.agents: dict[str, Agent] = {}
        self._guard = RLock()

    def __getstate__(self) -> dict[str, Any]:
        # A manager has a directory and the channel of this process; agents hold connections, so they go as workers get
        # them, or not at all: who resumes registers them again, as in graflow.
        agents = {}
        for name, agent in self.agents.items():
            with contextlib.suppress(Exception):
                agents[name] = agent.serial, self.packed_agent(name)
        return {"client": self.client, "prompts": self.prompts, "agents": agents}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["client"], state["prompts"])  # type: ignore[misc]
        self.agents = {name: Agent(serial, None, packed=packed) for name, (serial, packed) in state["agents"].items()}

    def llm_client(self) -> Any:
        """Return the client; one of the default model if none was given.

        Raises:
            ConfigError: graflow is not installed.
        """
        with self._guard:
            if self.client is None:
                made = lent("llm.client", f"llm_client {_WHERE}").LLMClient
                lent("utils.dotenv", f"llm_client {_WHERE}").load_env()
                self.client = made(model=os.getenv("GRAFLOW_LLM_MODEL", _DEFAULT_MODEL))
            return self.client

    def prompt_manager(self) -> Any:
        """Return the manager of prompts; one of the files in ``GRAFLOW_PROMPTS_DIR`` if none was given.

        Raises:
            ConfigError: graflow is not installed.
        """
        with self._guard:
            if self.prompts is None:
                self.prompts = lent("prompts.yaml_manager", f"prompt_manager {_WHERE}").YAMLPromptManager()
            return self.prompts

    def feedback_manager(self, config: dict[str, Any], channel: Channel) -> Any:
        """Return the manager of feedback; one of files in ``config["data_dir"]`` if none was given.

        Raises:
            ConfigError: graflow is not installed.
        """
        with self._guard:
            if self.feedback is None:
                made = lent("hitl.manager", f"Human feedback {_WHERE}").FeedbackManager
                self.feedback = made(backend="filesystem", backend_config=config, channel_manager=channel)
            return self.feedback

    # --- agents

    def register(self, name: str, agent: Any, maker: Callable[[Any], Any] | None = None) -> None:
        """Keep an agent under a name."""
        with self._guard:
            self.agents[name] = Agent(len(self.agents) + self._registered(), agent, maker)

    def register_packed(self, name: str, packed: Packed) -> None:
        """Keep an agent that has come as bytes."""
        with self._guard:
            self.agents[name] = Agent(self._registered(), None, packed=packed)

    def _registered(self) -> int:
        return 1 + max((agent.serial for agent in self.agents.values()), default=0)

    def agent(self, name: str, context: Any) -> Any:
        """Return a registered agent.

        Raises:
            KeyError: there is none of that name.
        """
        with self._guard:
            found = self.agents.get(name)
            if found is None:
                raise KeyError(f"LLMAgent '{name}' not found in registry")
            if found.value is None and found.packed is not None:
                found.value = unpacked(found.packed, context)
            return found.value

    def packed_agent(self, name: str) -> Packed:
        """Return a registered agent as bytes.

        Raises:
            Exception: it can't be pickled, and there is no other way to make it elsewhere.
        """
        with self._guard:
            found = self.agents[name]
            if found.packed is None:
                found.packed = packed(found.value, found.maker)
            return found.packed


def packed(agent: Any, maker: Callable[[Any], Any] | None) -> Packed:
    """Return an agent as bytes: pickled, as the text that graflow has for Google's, or as what makes it.

    Raises:
        Exception: none of these is possible; what pickling it raised.
    """
    from graflow_fast._wire import by_value

    try:
        return PICKLED, by_value.dumps(agent)
    except Exception:
        if maker is not None:
            return MAKER, by_value.dumps(maker)
        text = _description(agent)
        if text is None:
            raise
        return DESCRIBED, text.encode()


def unpacked(content: Packed, context: Any) -> Any:
    """Return the agent that `packed` has made bytes of; ``context`` is that of the run."""
    import pickle

    kind, data = content
    if kind == DESCRIBED:
        adk = lent("llm.serialization", _WHERE).yaml_to_agent(data.decode())
        return lent("llm.agents.adk_agent", _WHERE).AdkLLMAgent._from_adk_agent(adk, context.session_id)
    loaded = pickle.loads(data)
    return loaded(context) if kind == MAKER else loaded


def _description(agent: Any) -> str | None:
    """Return the text that an agent of Google's can be made of again, None where there is none."""
    if not type(agent).__module__.endswith(".llm.agents.adk_agent"):
        return None
    try:
        text: str = lent("llm.serialization", _WHERE).agent_to_yaml(agent._adk_agent)
    except Exception:
        return None
    return text
