"""The result cache: what the result of a task depends on, as keys."""
