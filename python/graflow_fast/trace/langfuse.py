"""Not here: graflow's Langfuse tracer."""

from graflow_fast._extras import absent

absent(__name__, "Langfuse tracer")
