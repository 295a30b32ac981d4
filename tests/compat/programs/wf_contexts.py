"""current_, get_current_, set_current_, require_ and clear_workflow_context."""

from graflow.core.workflow import (
    WorkflowContext,
    clear_workflow_context,
    current_workflow_context,
    get_current_workflow_context,
    require_workflow_context,
    set_current_workflow_context,
    workflow,
)
from graflow.exceptions import GraflowRuntimeError

print(get_current_workflow_context())
try:
    require_workflow_context()
except GraflowRuntimeError as error:
    print(error)
with workflow("outer") as outer:
    print(current_workflow_context() is outer, require_workflow_context() is outer)
    with workflow("inner") as inner:
        print(get_current_workflow_context().name)
    print(get_current_workflow_context().name)
print(get_current_workflow_context())
implicit = current_workflow_context()
print(type(implicit).__name__, len(implicit.name), get_current_workflow_context() is implicit)
clear_workflow_context()
print(get_current_workflow_context())
made = get_current_workflow_context(create_if_not_exist=True)
print(made is get_current_workflow_context())
own = WorkflowContext("own")
set_current_workflow_context(own)
print(current_workflow_context().name)
clear_workflow_context()
