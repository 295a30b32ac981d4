"""What graflow has and graflow_fast has not says so."""

import importlib
import sys

import pytest

from graflow_fast._extras import AbsentFeatureError, import_extra

ABSENT = [
    "llm",
    "hitl",
    "prompts",
    "worker",
    "queue.distributed",
    "api",
    "debug",
    "channels.redis_channel",
    "coordination.graph_store",
    "coordination.records",
    "coordination.redis_coordinator",
    "coordination.threading_coordinator",
    "utils.redis_utils",
    "trace.langfuse",
    "core.handlers.docker",
]


@pytest.mark.parametrize("name", ABSENT)
def test_absent_modules_explain_themselves(name):
    """Importing one is an ImportError in one sentence that names what is missing and where it is to be had."""
    module = f"graflow_fast.{name}"
    with pytest.raises(
        AbsentFeatureError,
        match=r"^graflow_fast has no .*(pip install 'graflow-fast\[graflow\]'|\. (One mach|Worker proc|with_exec).*)$",
    ) as caught:
        importlib.import_module(module)
    assert caught.value.name == module
    assert isinstance(caught.value, ImportError)
    assert module not in sys.modules


def test_submodules_of_absent_packages_explain_themselves():
    """``from graflow_fast.llm.client import ...`` gives the same message."""
    with pytest.raises(AbsentFeatureError, match="LLM clients"):
        importlib.import_module("graflow_fast.llm.client")


def test_missing_extras_say_what_to_install():
    """The message names the purpose, the package and the extra."""
    with pytest.raises(ImportError, match=r"Counting needs no_such_package: pip install 'graflow-fast\[count\]'"):
        import_extra("no_such_package.part", "count", "Counting")
    assert import_extra("json", "x", "x").loads("1") == 1
