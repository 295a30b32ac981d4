"""Not here: graflow's Redis channel."""

from graflow_fast._extras import absent

absent(__name__, "Redis channel")
