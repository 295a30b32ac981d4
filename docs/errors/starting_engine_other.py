"""An engine on whose workers this program can't run.

Nothing has run. Install there what is installed here; a star marks what must be the same.
"""

from types import SimpleNamespace

from graflow_fast import task, workflow


class Cluster:
    name, place, keeps_warm = "cluster", "all", False

    def addresses(self):
        return [SimpleNamespace(name="node1", slots=4)]

    def ask(self, addresses, function, *arguments):
        return [function(*arguments) | {"graflow_fast": "missing", "protocol": None}]  # what a worker says

    def open(self, address, given):
        raise NotImplementedError

    def close(self):
        pass


with workflow("report") as wf:

    @task
    def load():
        return 1

    wf.execute(executor=Cluster())
