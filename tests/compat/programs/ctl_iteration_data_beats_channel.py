"""The data of an iteration is an argument of the call: it wins over binding and channel.

differs: graflow passes both and fails with "multiple values for argument".
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def loop(ctx, n):
        print(n)
        if n < 3:
            ctx.next_iteration(n + 1)

    try:
        wf.execute(initial_channel={"n": 1})
    except Exception as error:
        print(type(error).__name__, "multiple values" in str(error))
