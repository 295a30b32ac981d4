"""Reading a .env file: those of an installed graflow, on this engine."""

from graflow_fast._borrowed import borrow

borrow(__name__, "reader of .env files")
