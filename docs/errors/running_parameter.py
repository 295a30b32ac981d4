"""A parameter that nothing fills.

Bind it (`total(numbers=...)`), put it into the channel, or give it a default.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def total(numbers):
        return sum(numbers)

    wf.execute()
