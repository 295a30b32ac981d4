"""Not here: graflow's HTTP API."""

from graflow_fast._extras import absent

absent(__name__, "HTTP API")
