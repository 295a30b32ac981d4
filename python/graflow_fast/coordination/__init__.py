"""Where the members of a parallel group run."""
