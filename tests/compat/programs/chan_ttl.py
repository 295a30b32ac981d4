"""ttl: the key goes away after that many seconds; set without ttl keeps an old one (as in graflow)."""

import time

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        channel = ctx.get_channel()
        channel.set("short", 1, ttl=0.2)
        channel.set("long", 2, ttl=100)
        channel.append("list", 3, ttl=0.2)
        channel.set("again", 4, ttl=0.2)
        channel.set("again", 5)
        channel.set("gone", 6, ttl=0.2)
        channel.delete("gone")
        channel.set("gone", 7)
        print(channel.keys())
        time.sleep(0.3)
        print(channel.get("short", "gone"), channel.exists("list"), channel.get("long"), channel.get("again"))
        print(channel.keys(), channel.append("list", 8))

    wf.execute()
