"""What a body can ask of its run, as questions that can be asked again: an entry holds if all answers are the same.

Owns the questions and their answers. Must not know who asks, nor where answers are kept.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ABSENT", "Question", "answer"]

#: (kind, ...): what was asked, as plain values.
Question = tuple[Any, ...]

#: The answer where there is no value.
ABSENT: Any = ("absent",)


def answer(context: Any, question: Question) -> Any:
    """Return what a running body's context answers now.

    Args:
        context: the `TaskExecutionContext` of the body, or what stands for it.
        question: one that `recording` has noted.
    """
    kind = question[0]
    if kind == "get":
        channel = context.get_channel()
        return channel.get(question[1]) if channel.exists(question[1]) else ABSENT
    if kind == "exists":
        return bool(context.get_channel().exists(question[1]))
    if kind == "length":
        value = answer(context, ("get", question[1]))
        return len(value) if isinstance(value, list) else value
    if kind == "keys":
        return list(context.get_channel().keys())
    if kind == "iteration":
        run = context.execution_context
        return context.task_id, context.cycle_count, run.scope_name, bool(context.can_iterate())
    if kind == "group":
        return context.execution_context.group_name(context.task_id, 1)
    if kind == "node":
        try:
            context.graph.get_node(question[1])
        except Exception:  # whatever it is, the body would have got it
            return False
        return True
    if kind == "call":
        return getattr(context, question[1])()
    return getattr(context, question[1])
