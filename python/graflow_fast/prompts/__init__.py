"""Not here: graflow's prompt managers."""

from graflow_fast._extras import absent

absent(__name__, "prompt managers")
