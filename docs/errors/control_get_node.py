"""A task looked up by a name that does not exist.

Check the spelling.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(inject_context=True)
    def load(ctx):
        ctx.next_task(ctx.graph.get_node("on_eror"), goto=True)

    @task
    def on_error():
        print("handled")

    wf.execute("load")
