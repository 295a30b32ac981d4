"""A lock that somebody else holds for too long.

Hold locks briefly, or wait longer: `lock(key, timeout=60)`.
"""

import time

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(inject_context=True)
    def holder(ctx):
        with ctx.get_channel().lock("file"):
            ctx.get_channel().set("held", True)
            while not ctx.get_channel().get("tried", False):
                time.sleep(0.01)

    @task(inject_context=True)
    def waiter(ctx):
        channel = ctx.get_channel()
        while True:
            try:
                with channel.lock("file", timeout=0.1):
                    time.sleep(0.01)
            except TimeoutError:
                with channel.lock("note"):
                    channel.set("tried", True)
                raise

    (holder | waiter).set_group_name("both")
    wf.execute("both")
