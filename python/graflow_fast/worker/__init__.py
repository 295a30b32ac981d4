"""Not here: graflow's worker daemon for Redis queues."""

from graflow_fast._extras import absent

absent(__name__, "worker daemon (its worker processes start by themselves)")
