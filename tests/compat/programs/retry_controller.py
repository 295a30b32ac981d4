"""RetryController and CycleController by themselves."""

from graflow.core.cycle import CycleController
from graflow.core.retry import RetryController, RetryPolicy
from graflow.exceptions import CycleLimitExceededError, RetryLimitExceededError

retry = RetryController(default_max_retries=1)
print(
    retry.accept_retry("a"), retry.increment("a", ValueError("x")), retry.accept_retry("a"), retry.get_retry_count("a")
)
print(
    retry.get_delay("a"),
    repr(retry.get_last_error("a")),
    retry.get_last_error("b"),
    retry.get_max_retries_for_node("b"),
)
try:
    retry.check_retry_limit("a")
except RetryLimitExceededError as error:
    print(error, repr(error.last_error))
retry.set_node_policy("b", RetryPolicy(max_retries=4, initial_interval=2))
retry.set_node_max_retries("c", 9)
print(
    retry.get_max_retries_for_node("b"),
    retry.get_policy_for_node("b").max_retries,
    retry.get_policy_for_node("c"),
    retry.node_max_retries,
)
retry.increment("b")
retry.increment("b")
print(retry.get_delay("b"), retry.retry_counts)

cycle = CycleController(2)
print(
    cycle.default_max_cycles,
    CycleController().default_max_cycles,
    cycle.get_cycle_count("a"),
    cycle.accept_next_cycle("a"),
)
print(cycle.increment("a"), cycle.increment("a"), cycle.accept_next_cycle("a"), cycle.cycle_counts)
try:
    cycle.check_cycle_limit("a")
except CycleLimitExceededError as error:
    print(error)
cycle.set_node_max_cycles("a", 5)
print(
    cycle.get_max_cycles_for_node("a"),
    cycle.accept_next_cycle("a"),
    cycle.check_cycle_limit("a"),
    cycle.node_max_cycles,
)
