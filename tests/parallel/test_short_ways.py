"""The short way for members of groups: what must be as if there were none."""

import os

import pytest

from graflow_fast import parallel, task, workflow


class Interrupting:
    """An argument during whose packing Ctrl-C comes, once."""

    def __init__(self):
        self.packed = 0

    def __reduce__(self):
        self.packed += 1
        if self.packed == 1:
            raise KeyboardInterrupt
        return os.getpid, ()


def test_ctrl_c_while_a_members_arguments_are_packed_is_not_swallowed():
    with workflow("interrupted") as wf:

        @task
        def member(value):
            return value

        parallel(*(member(task_id=f"m{n}", value=Interrupting()) for n in range(2)))
        with pytest.raises(KeyboardInterrupt):
            wf.execute(executor="process", max_workers=1)


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_key_that_a_member_deletes_loses_its_limit_with_its_value(executor):
    """One member's write has a limit; the key that a later one makes anew has none."""
    with workflow("limits") as wf:

        @task(inject_context=True)
        def member(ctx, does):
            channel = ctx.get_channel()
            if does == "look":  # so that the worker knows the key, and need not ask for it again
                channel.get("key")
            elif does == "limit":
                channel.set("key", 1, ttl=60)
            elif does == "delete":
                channel.delete("key")
            else:
                channel.set("key", 3)

        parallel(*(member(task_id=does, does=does) for does in ("look", "limit", "delete", "make anew")))
        _, context = wf.execute(ret_context=True, executor=executor, max_workers=1)
    assert context.channel.get("key") == 3
    assert context.channel.ttl_data == {}
