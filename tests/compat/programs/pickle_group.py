"""Groups and chains pickle with cloudpickle."""

import cloudpickle
from graflow.core.decorators import task
from graflow.core.task import Task
from graflow.core.workflow import workflow

a, b, c = (task(n)(lambda n=n: n) for n in "abc")
with workflow("w") as wf:
    group = (a | b).set_group_name("g").with_execution(policy="best_effort")
    chain = group >> c
    print(cloudpickle.loads(cloudpickle.dumps(group)), cloudpickle.loads(cloudpickle.dumps(chain)))
    print(cloudpickle.loads(cloudpickle.dumps(Task("t"))), cloudpickle.loads(cloudpickle.dumps(group)).task_id)
