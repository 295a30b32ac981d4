"""Not here: graflow's task queues."""

from graflow_fast._extras import absent

absent(__name__, "task queues of its own (the scheduler keeps what is ready)")
