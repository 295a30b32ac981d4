"""Not here: graflow's search for objects that can't be pickled."""

from graflow_fast._extras import absent

absent(__name__, "debug helpers (TaskSerializationError says what can't be pickled)")
