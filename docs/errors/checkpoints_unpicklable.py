"""A checkpoint of something that can't be saved.

Keep what can't be pickled out of the channel.
"""

import threading

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(inject_context=True)
    def load(ctx):
        ctx.get_channel().set("lock", threading.Lock())
        ctx.checkpoint(path="saved")

    wf.execute()
