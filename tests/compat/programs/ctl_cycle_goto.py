"""A loop made with goto: agent, tool, agent ... until the agent goes on."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def agent(ctx):
        turn = ctx.get_channel().atomic_add("turns")
        print("agent", turn, ctx.cycle_count)
        ctx.next_task(ctx.graph.get_node("tool" if turn < 3 else "answer"), goto=True)

    @task
    def tool():
        print("tool")

    @task
    def answer():
        return "done"

    agent >> tool
    tool >> agent
    agent >> answer
    result, ctx = wf.execute(start_node="agent", ret_context=True)
    print(result, ctx.steps, ctx.completed_tasks)
