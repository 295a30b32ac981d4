"""Not here: graflow's human-in-the-loop feedback."""

from graflow_fast._extras import absent

absent(__name__, "human-in-the-loop feedback")
