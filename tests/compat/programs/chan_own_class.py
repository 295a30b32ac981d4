"""A channel class of one's own gets values, also those of tasks that ran elsewhere."""

from graflow.channels.factory import ChannelFactory
from graflow.channels.memory_channel import MemoryChannel
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.workflow import workflow


class Loud(MemoryChannel):
    def set(self, key, value, ttl=None):
        if self.name == root_name:
            print("set", key, value)
        super().set(key, value, ttl)


root_name = None
ChannelFactory.register_backend("loud", Loud)

with workflow("w") as wf:

    @task(inject_context=True)
    def first(ctx):
        ctx.get_channel().set("seen", [1, 2])
        return {"a": 1}

    @task(inject_context=True)
    def second(ctx, first):
        return first["a"], ctx.get_channel().get("seen")

    first >> second
    context = ExecutionContext.create(wf.graph, "first", channel_backend="loud")
    root_name = context.session_id
    print(WorkflowEngine().execute(context), type(context.get_channel()).__name__)
