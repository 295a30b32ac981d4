"""The search for what can't be pickled: those of an installed graflow, on this engine."""

from graflow_fast._borrowed import borrow

borrow(__name__, "debug helpers (TaskSerializationError says what can't be pickled)")
