"""The package itself offers the usual names."""

import graflow as package
from graflow import RetryPolicy, TaskExecutionContext, chain, parallel, task, workflow

a, b, c = (task(n)(lambda: None) for n in "abc")
print(RetryPolicy(max_retries=1).max_retries, TaskExecutionContext.__name__, package.task is task)
print(
    [
        name
        for name in ("RetryPolicy", "TaskExecutionContext", "chain", "parallel", "task", "workflow")
        if name not in package.__all__
    ]
)
with workflow("w") as wf:
    chain(a, parallel(b, c))
    print(wf.execute(), wf.graph.get_edges())
