"""graflow_fast."""
