"""Not here: graflow's program for the inside of its containers."""

from graflow_fast._extras import absent

absent(__name__, "program for containers", "The Docker handler of an installed graflow brings its own")
