"""A tracer may implement the output methods only."""

import re

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.base import Tracer


class Lines(Tracer):
    def say(self, *words):
        print(*(re.sub("^workflow_[0-9a-f]{8}$", "WORKFLOW", str(w)) for w in words))

    def _output_trace_start(self, name, trace_id, metadata):
        self.say("trace start", name, len(trace_id), sorted(metadata))

    def _output_trace_end(self, name, output, metadata):
        self.say("trace end", name, output, metadata)

    def _output_span_start(self, name, parent_name, metadata):
        self.say("span start", name, parent_name, metadata)

    def _output_span_end(self, name, output, metadata):
        self.say("span end", name, output, metadata)

    def _output_event(self, name, parent_span, metadata):
        self.say("event", name)

    def _output_attach_to_trace(self, trace_id, parent_span_id):
        self.say("attach", trace_id)

    def clone(self, trace_id):
        return self


def fail():
    raise ValueError("no")


tracer = Lines()
with workflow("w", tracer=tracer) as wf:
    a, b = task("a")(lambda: 1), task("b")(fail)
    a >> b
    try:
        wf.execute()
    except Exception as error:
        print(error)
    tracer.event("own")
    tracer.attach_to_trace("t" * 32)
