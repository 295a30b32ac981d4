"""A cache whose entries end: those of an installed graflow, on this engine."""

from graflow_fast._borrowed import borrow

borrow(__name__, "cache with time limits")
