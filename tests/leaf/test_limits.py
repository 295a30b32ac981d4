"""Retry and cycle counters."""

import pytest

from graflow_fast.core.cycle import CycleController
from graflow_fast.core.retry import RetryController, RetryPolicy
from graflow_fast.exceptions import CycleLimitExceededError, RetryLimitExceededError


def test_delays_grow_up_to_the_cap():
    """Delays are initial * factor ** n, never over max_interval, not even where the power overflows."""
    policy = RetryPolicy(max_retries=9, initial_interval=0.5, backoff_factor=3.0, max_interval=10.0)
    assert [policy.get_delay(n) for n in range(5)] == [0.5, 1.5, 4.5, 10.0, 10.0]
    assert policy.get_delay(100_000) == 10.0


def test_jitter_varies_by_half_and_respects_the_cap():
    """With jitter, delays spread between half and one and a half, and stay under the cap."""
    delays = [RetryPolicy(initial_interval=1.0, jitter=True).get_delay(0) for _ in range(500)]
    assert 0.5 <= min(delays) < 0.7
    assert 1.3 < max(delays) <= 1.5
    assert max(RetryPolicy(initial_interval=9, max_interval=9, jitter=True).get_delay(0) for _ in range(200)) <= 9


def test_retries_are_counted_per_task():
    """Each task has its own count, limit, last error and delay."""
    retries = RetryController(default_max_retries=1)
    retries.set_node_policy("a", RetryPolicy(max_retries=2, initial_interval=0.1))
    error = ValueError("x")
    assert retries.increment("a", error) == 1
    assert retries.get_delay("a") == pytest.approx(0.1)
    assert retries.increment("a") == 2
    assert retries.get_delay("a") == pytest.approx(0.2)
    assert retries.get_last_error("a") is error
    assert not retries.accept_retry("a")
    assert retries.accept_retry("b")
    assert retries.get_delay("b") == 0.0
    retries.check_retry_limit("b")
    with pytest.raises(RetryLimitExceededError) as caught:
        retries.check_retry_limit("a")
    assert (caught.value.retry_count, caught.value.max_retries, caught.value.__cause__) == (2, 2, error)


def test_cycles_are_counted_per_task():
    """A task may run max_cycles times and no more."""
    cycles = CycleController()
    cycles.set_node_max_cycles("a", 2)
    assert cycles.increment("a") == 1
    assert cycles.accept_next_cycle("a")
    cycles.check_cycle_limit("a")
    assert cycles.increment("a") == 2
    with pytest.raises(CycleLimitExceededError) as caught:
        cycles.check_cycle_limit("a")
    assert (caught.value.cycle_count, caught.value.max_cycles) == (2, 2)
    assert cycles.get_max_cycles_for_node("b") == 100
    assert cycles.get_cycle_count("b") == 0
