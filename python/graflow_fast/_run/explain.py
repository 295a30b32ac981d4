"""Sentences from the scheduler's story: why a task ran, waits, was skipped or retried."""

from __future__ import annotations

from typing import Any

_SENTENCES = {
    "root": "Task '{task}' ran because the workflow starts there.",
    "successor": "Task '{task}' ran because {others} completed.",
    "join": "Task '{task}' ran once all of its predecessors that could run had completed: {others}.",
    "next_task": "Task '{task}' ran because {others} asked for it with next_task().",
    "goto": "Task '{task}' ran because {others} jumped to it with next_task(goto=True).",
    "iteration": "Task '{task}' ran again because it asked for it with next_iteration().",
    "retry": "Task '{task}' ran again because an attempt of it had failed.",
    "member": "Task '{task}' ran as a member of group {others}.",
    "waits_for": "Task '{task}' waits for {others}.",
    "skipped_by_goto": "Task '{task}' was skipped because {others} jumped elsewhere.",
    "skipped_no_predecessor": "Task '{task}' was skipped because all of its predecessors were skipped: {others}.",
    "abandoned": "Task '{task}' was abandoned because the workflow ended while it was running.",
    "never_reached": "Task '{task}' did not run: nothing that ran leads to it.",
}


def sentence(run: Any, task_id: str) -> str:
    """Return the sentence for a task of a run."""
    node = run.nodes.resolve(task_id)
    if node is None:
        return f"There is no task '{task_id}' in this workflow."
    reason, others = run.scheduler.explain(node)
    names = ", ".join(f"'{run.nodes.names[other]}'" for other in others) or "nothing"
    text = _SENTENCES.get(reason)
    return (
        text.format(task=task_id, others=names) if text else f"Task '{task_id}': {reason.replace('_', ' ')} ({names})."
    )
