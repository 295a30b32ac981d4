"""What both ends of a link agree on: how values, functions, effects and memory cross between processes."""
