"""Names, results and output may hold any text."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("arbeit") as wf:

    @task("größe")
    def size():
        print("Größe → 3")
        return "ü"

    @task
    def 名前(größe):
        return größe + "名"

    size >> 名前
    print(wf.execute(), list(wf.graph.nodes))
