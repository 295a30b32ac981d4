"""A body sees the workflow that is current where it was started, and one that it defines while it defines it."""

from graflow.core.decorators import task
from graflow.core.workflow import (
    clear_workflow_context,
    current_workflow_context,
    get_current_workflow_context,
    require_workflow_context,
    workflow,
)
from graflow.exceptions import GraflowRuntimeError

with workflow("outer") as outer:

    @task
    def look():
        found = current_workflow_context()
        print(found.name, list(found.graph.nodes), found.graph.edges)
        print(get_current_workflow_context().name, require_workflow_context().name)

    @task
    def nest():
        with workflow("inner") as inner:

            @task
            def deep():
                return current_workflow_context().name

            print(inner.execute("deep"))
        print(current_workflow_context().name)

    @task
    def last():
        return current_workflow_context().execute("other")

    look >> nest >> last
    task("other")(lambda: f"other in {current_workflow_context().name}")
    print(outer.execute("look"))

clear_workflow_context()


def nowhere():
    try:
        return get_current_workflow_context(), require_workflow_context().name
    except GraflowRuntimeError as error:
        return str(error)


with workflow("left") as left:
    task("nowhere")(nowhere)
print(left.execute())
