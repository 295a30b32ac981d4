"""Not here: graflow's Docker handler."""

from graflow_fast._extras import absent

absent(__name__, "Docker handler")
