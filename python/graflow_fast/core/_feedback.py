"""Asking people from inside a body: the requests of `TaskExecutionContext`, answered by graflow's manager of feedback.

Owns the names of requests, which are the same when a body is run again after its process has gone, or its run has been
resumed: so what was answered meanwhile is found, and nobody is asked twice. Storing and waiting are graflow's.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast.channels.base import Channel

#: The characters that requests of one body have in common.
_LENGTH = 14

_ABSENT = "needs graflow beside graflow_fast: pip install 'graflow-fast[graflow]'"
#: Which part of an answer is written to the channel, by the type of request.
_ANSWERS = {
    "approval": "approved",
    "text": "text",
    "selection": "selected",
    "multi_selection": "selected_multiple",
    "custom": "custom_data",
}


class Asking:
    """The part of `TaskExecutionContext` that asks people."""

    __slots__ = ()

    task_id: str
    execution_context: Any

    def request_feedback(
        self,
        feedback_type: Any,
        prompt: str,
        options: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        timeout: float = 180.0,
        channel_key: str | None = None,
        write_to_channel: bool = False,
        handler: Any = None,
    ) -> Any:
        """Ask somebody, and wait for the answer.

        When none comes in time the run writes a checkpoint and ends without an error: resumed, it asks the same
        request again, and goes on if there is an answer by then.

        Args:
            feedback_type: ``"approval"``, ``"text"``, ``"selection"``, ``"multi_selection"``, ``"custom"``, or a
                ``FeedbackType``.
            prompt: what to ask.
            options: what there is to choose from.
            metadata: kept with the request.
            timeout: seconds to wait.
            channel_key: where in the channel to put the answer, with ``write_to_channel``.
            write_to_channel: whether to put it there.
            handler: a ``FeedbackHandler`` that is told of request, answer and time-out.

        Returns:
            graflow's ``FeedbackResponse``.

        Raises:
            FeedbackTimeoutError: there was no answer in time. Leave it to the run.
            ConfigError: graflow is not installed.
        """
        from graflow_fast._borrowed import lent

        types = lent("hitl.types", f"Task '{self.task_id}': request_feedback() {_ABSENT}")
        kind = types.FeedbackType(feedback_type)
        context = self.execution_context
        response = context.feedback_manager.request_feedback(
            task_id=self.task_id,
            session_id=context.session_id,
            feedback_type=kind,
            prompt=prompt,
            options=options,
            metadata=metadata,
            timeout=timeout,
            channel_key=channel_key,
            write_to_channel=write_to_channel,
            feedback_id=self._next_request(),
            handler=handler,
        )
        if write_to_channel and channel_key:
            self.get_channel().set(channel_key, getattr(response, _ANSWERS[kind.value]))
            self.get_channel().set(f"{channel_key}.__feedback_response__", response.to_dict())
        return response

    def request_approval(
        self,
        prompt: str,
        metadata: dict[str, Any] | None = None,
        timeout: float = 180.0,
        channel_key: str | None = None,
        write_to_channel: bool = False,
    ) -> bool:
        """Ask whether something may be done; see `request_feedback`."""
        asked = self.request_feedback("approval", prompt, None, metadata, timeout, channel_key, write_to_channel)
        return bool(asked.approved)

    def request_text_input(
        self,
        prompt: str,
        metadata: dict[str, Any] | None = None,
        timeout: float = 180.0,
        channel_key: str | None = None,
        write_to_channel: bool = False,
    ) -> str:
        """Ask for a text; see `request_feedback`."""
        asked = self.request_feedback("text", prompt, None, metadata, timeout, channel_key, write_to_channel)
        return asked.text or ""

    def request_selection(
        self,
        prompt: str,
        options: list[str],
        metadata: dict[str, Any] | None = None,
        timeout: float = 180.0,
        channel_key: str | None = None,
        write_to_channel: bool = False,
    ) -> str:
        """Ask which of some options is wanted; see `request_feedback`."""
        asked = self.request_feedback("selection", prompt, options, metadata, timeout, channel_key, write_to_channel)
        return asked.selected or ""

    def _next_request(self) -> str:
        """Return the name of the next request of this body: its start's, and a number."""
        from hashlib import blake2b

        number = self.__dict__["_requests_made"] = self.__dict__.get("_requests_made", 0) + 1
        context = self.execution_context
        while context.parent_context is not None:
            context = context.parent_context
        told = context.checkpoint_metadata.get("user_metadata", {})
        if told.get("reason") == "feedback_timeout" and told.get("task_id") == self.task_id:
            unanswered = str(told["feedback_id"])
            if "engine" not in told:  # graflow's own checkpoint, whose names have no numbers
                if number == 1:
                    return unanswered
            elif told["cycle_count"] == self.cycle_count:  # also if it was a repetition of the body that asked
                return f"{unanswered[:_LENGTH]}{number:02x}"
        text = f"{self.key}/{self.retry_count}"
        return f"{blake2b(text.encode(), digest_size=_LENGTH // 2).hexdigest()}{number:02x}"

    if TYPE_CHECKING:
        key: Any
        retry_count: Any
        cycle_count: Any

        def get_channel(self) -> Channel: ...
