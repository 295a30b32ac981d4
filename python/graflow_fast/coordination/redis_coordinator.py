"""Not here: graflow's Redis coordinator."""

from graflow_fast._extras import absent

absent(__name__, "Redis coordinator")
