"""Group policies, and the names of places."""

import logging
from types import SimpleNamespace

import pytest

from graflow_fast.coordination.coordinator import CoordinationBackend, TaskCoordinator
from graflow_fast.core.handler import TaskHandler, TaskResult
from graflow_fast.core.handlers.direct import DirectTaskHandler
from graflow_fast.core.handlers.group_policy import (
    POLICY_REGISTRY,
    AtLeastNGroupPolicy,
    BestEffortGroupPolicy,
    CriticalGroupPolicy,
    GroupExecutionPolicy,
    StrictGroupPolicy,
    canonicalize_group_policy,
    resolve_group_policy,
)
from graflow_fast.exceptions import ParallelGroupError


def judge(policy, **outcomes):
    """Let a policy judge members that succeeded (True) or failed (a message or None)."""
    tasks = [SimpleNamespace(task_id=task_id) for task_id in outcomes]
    results = {
        task_id: TaskResult(task_id, success=True)
        if outcome is True
        else TaskResult(task_id, success=False, error_message=outcome)
        for task_id, outcome in outcomes.items()
    }
    policy.on_group_finished("g", tasks, results, None)


@pytest.mark.parametrize(
    "policy", [StrictGroupPolicy(), BestEffortGroupPolicy(), CriticalGroupPolicy(["a"]), AtLeastNGroupPolicy(2)]
)
def test_success_satisfies_every_policy(policy):
    """No built-in policy objects to a group without failures."""
    judge(policy, a=True, b=True)


def test_strict_lists_who_failed():
    """One failure is enough, and the error says whose and why."""
    with pytest.raises(ParallelGroupError, match=r"Parallel group g failed: 2 task\(s\) failed") as caught:
        judge(StrictGroupPolicy(), a=True, b="broken", c=None)
    assert caught.value.failed_tasks == [("b", "broken"), ("c", "Unknown error")]
    assert caught.value.successful_tasks == ["a"]
    assert caught.value.group_id == "g"


def test_best_effort_only_warns(caplog):
    """Failures are logged by name and forgiven."""
    with caplog.at_level(logging.WARNING):
        judge(BestEffortGroupPolicy(), a="x", b="y")
    assert "['a', 'b']" in caplog.text


def test_critical_members_must_succeed(caplog):
    """Only failures of critical members count, in member order; the others are logged."""
    policy = CriticalGroupPolicy(["c", "b"])
    with caplog.at_level(logging.WARNING):
        judge(policy, a="x", b=True, c=True)
    assert "['a']" in caplog.text
    with pytest.raises(ParallelGroupError) as caught:
        judge(policy, a="x", b="y", c="z")
    assert caught.value.failed_tasks == [("b", "y"), ("c", "z")]
    with pytest.raises(ValueError, match="not part of parallel group g"):
        judge(policy, a=True, b=True)
    with pytest.raises(ValueError, match="at least one"):
        CriticalGroupPolicy([])


def test_at_least_n_counts_successes():
    """N successes are enough, and asking for more members than there are is a mistake."""
    judge(AtLeastNGroupPolicy(1), a=True, b="x")
    with pytest.raises(ParallelGroupError, match="Only 1/2 tasks succeeded in group g"):
        judge(AtLeastNGroupPolicy(2), a=True, b="x")
    with pytest.raises(ValueError, match="cannot exceed"):
        judge(AtLeastNGroupPolicy(3), a=True, b=True)
    with pytest.raises(ValueError, match="non-negative"):
        AtLeastNGroupPolicy(-1)


def test_missing_and_unexpected_results_are_errors():
    """A policy is told if the results don't belong to the members."""
    tasks = [SimpleNamespace(task_id="a")]
    with pytest.raises(ParallelGroupError, match=r"missing results for tasks: \['a'\], unexpected .* \['b'\]"):
        StrictGroupPolicy().on_group_finished("g", tasks, {"b": TaskResult("b", success=True)}, None)


class Lenient(GroupExecutionPolicy):
    """A policy that a user might write."""

    def on_group_finished(self, group_id, tasks, results, context):
        pass


@pytest.mark.parametrize(
    "policy", [StrictGroupPolicy(), BestEffortGroupPolicy(), CriticalGroupPolicy(["b", "a"]), AtLeastNGroupPolicy(3)]
)
def test_policies_as_data_and_back(policy):
    """Plain data made from a built-in policy gives an equal policy."""
    again = resolve_group_policy(canonicalize_group_policy(policy))
    assert type(again) is type(policy)
    assert vars(again) == vars(policy)
    assert again.get_name() == policy.get_name()


def test_custom_policies_stay_objects():
    """A user's policy passes through as itself."""
    policy = Lenient()
    assert policy.get_name() == "Lenient"
    assert resolve_group_policy(policy) is policy
    assert resolve_group_policy(canonicalize_group_policy(policy)) is policy


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("nope", ValueError, "Unknown group execution policy 'nope'"),
        ({}, ValueError, "string 'type' field"),
        ({"type": "critical"}, ValueError, "as a list"),
        ({"type": "at_least_n", "min_success": "2"}, ValueError, "as an integer"),
        ({"type": "__custom__", "policy": 1}, ValueError, "GroupExecutionPolicy instance"),
        ({"type": "other"}, ValueError, "Unknown serialized"),
        (7, TypeError, "Unsupported policy"),
        ("critical", TypeError, r"pass CriticalGroupPolicy\(...\)"),
    ],
)
def test_wrong_specifications_are_refused(spec, error, words):
    """Each kind of wrong policy has its own message."""
    with pytest.raises(error, match=words):
        resolve_group_policy(spec)


def test_names():
    """Names are case-insensitive, and all built-in policies are registered."""
    assert isinstance(resolve_group_policy("STRICT"), StrictGroupPolicy)
    assert sorted(POLICY_REGISTRY) == ["at_least_n", "best_effort", "critical", "strict"]
    assert canonicalize_group_policy("anything") == "anything"
    with pytest.raises(TypeError):
        canonicalize_group_policy(3)


def test_backends_and_interfaces():
    """Redis stays a name that can be asked for; handlers and coordinators are abstract."""
    assert {backend.name: backend.value for backend in CoordinationBackend} == {
        "REDIS": "redis",
        "THREADING": "threading",
        "DIRECT": "direct",
        "PROCESS": "process",
    }
    for kind in (TaskCoordinator, TaskHandler):
        with pytest.raises(TypeError):
            kind()

    class Mine(TaskHandler):
        def execute_task(self, task, context):
            return None

    assert Mine().get_name() == "Mine"


def test_direct_handler_records_the_outcome():
    """Results (None included) and exceptions end up in the context; exceptions are raised as well."""
    recorded = []
    context = SimpleNamespace(set_result=lambda task_id, outcome: recorded.append((task_id, outcome)))
    handler = DirectTaskHandler()
    assert handler.get_name() == "direct"
    assert handler.execute_task(SimpleNamespace(task_id="a", run=lambda: None), context) is None
    error = ValueError("no")

    def fail():
        raise error

    with pytest.raises(ValueError, match="no"):
        handler.execute_task(SimpleNamespace(task_id="b", run=fail), context)
    assert recorded == [("a", None), ("b", error)]
