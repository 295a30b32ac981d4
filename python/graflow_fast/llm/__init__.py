"""Not here: graflow's LLM clients and agents."""

from graflow_fast._extras import absent

absent(__name__, "LLM clients and agents")
