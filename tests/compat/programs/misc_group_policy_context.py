"""A policy may extend a built-in one, and write to the parent's channel.

differs: graflow takes an instance of a subclass of a built-in policy for that built-in policy, and drops what it adds.
"""

from graflow.core.decorators import task
from graflow.core.handlers.group_policy import BestEffortGroupPolicy
from graflow.core.workflow import workflow


class Counting(BestEffortGroupPolicy):
    def on_group_finished(self, group_id, tasks, results, context):
        super().on_group_finished(group_id, tasks, results, context)
        context.get_channel().set("ok", sum(r.success for r in results.values()))
        print([(r.task_id, r.success, r.duration >= 0, r.timestamp > 0) for _, r in sorted(results.items())])


def fail():
    raise ValueError("no")


a, b = task("a")(lambda: 1), task("b")(fail)
with workflow("w") as wf:
    e = task("e", inject_context=True)(lambda ctx: ctx.get_channel().get("ok"))
    (a | b).with_execution(policy=Counting()) >> e
    print(wf.execute(start_node="ParallelGroup_1"))
