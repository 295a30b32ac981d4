"""LLM clients and agents: those of an installed graflow, on this engine."""

from graflow_fast._borrowed import borrow

borrow(__name__, "LLM clients and agents")
