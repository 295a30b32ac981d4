"""Groups are called ParallelGroup_1, ParallelGroup_2 ... in each workflow."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

for name in ("one", "two"):
    with workflow(name) as wf:
        a, b, c, d = (task(n)(lambda: None) for n in "abcd")
        first = a | b
        second = c | d
        print(name, first.task_id, second.task_id, wf.get_next_group_name())
