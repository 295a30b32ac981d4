"""A run in a notebook, in a real kernel: one output of the cell, static HTML."""

from __future__ import annotations

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: requirements/pages.txt")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: requirements/pages.txt")
pytest.importorskip("ipykernel", reason="ipykernel is not installed: requirements/pages.txt")

DEFINED = """
import threading, time
from graflow_fast import parallel, task, workflow

def make(fails):
    with workflow("in <cells>") as wf:
        @task
        def wait(n):
            time.sleep(0.15)
            if fails and n == 3:
                raise ValueError("bad <header>")
        parallel(*[wait(task_id=f"w{n}", n=n) for n in range(12)])
    return wf
"""
RUN = "_, context = make(False).execute(progress=True, executor='inline', record='runs.db', ret_context=True)"
FAILED = "make(True).execute(progress=True, executor='process', max_workers=2)"
AFTER = """
print(sorted(thread.name for thread in threading.enumerate() if thread.name in ("progress names", "record")))
context.run
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """A notebook that was run, and the messages about each cell's output that a viewer got meanwhile."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in (DEFINED, RUN, FAILED, AFTER)])
    messages: list[str] = []

    class Client(nbclient.NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if cell_index == 1:
                messages.append(msg["msg_type"])
            return super().process_message(msg, cell, cell_index)

    folder = tmp_path_factory.mktemp("notebook")
    made.cells[2].metadata["tags"] = ["raises-exception"]
    Client(made, timeout=100, resources={"metadata": {"path": str(folder)}}).execute()
    return made, messages


def test_progress_is_one_output_that_ends_as_static_html(notebook) -> None:
    made, messages = notebook
    (output,) = made.cells[1].outputs
    assert output.output_type == "display_data"
    assert set(output.data) == {"text/html", "text/plain"}, "no widget"
    assert output.data["text/plain"].startswith("✓ in <cells>: 12 tasks in ")
    assert "in &lt;cells&gt;: 12 tasks" in output.data["text/html"]
    assert messages.count("display_data") == 1
    assert 2 <= messages.count("update_display_data") <= 4 * 12, "while it goes, and not more than four in a second"


def test_a_failure_says_so_in_the_cell_and_leaves_no_thread(notebook) -> None:
    made, _ = notebook
    shown, error = made.cells[2].outputs
    assert "1 of 12 failed" in shown.data["text/plain"], (
        "the definition of which these are instances is no task of the run"
    )
    assert "bad &lt;header&gt;" in shown.data["text/html"]
    assert (error.output_type, error.ename) == ("error", "ParallelGroupError")
    printed, run = made.cells[3].outputs
    assert printed.text == "[]\n"
    assert "<script" not in run.data["text/html"]


def test_the_saved_notebook_shows_the_same_as_a_page(notebook) -> None:
    exporters = pytest.importorskip("nbconvert", reason="nbconvert is not installed: requirements/pages.txt")
    page, _ = exporters.HTMLExporter(embed_images=True).from_notebook_node(notebook[0])
    assert "in &lt;cells&gt;: 12 tasks in " in page
    assert "widget-view" not in page
