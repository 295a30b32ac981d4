"""Worker processes, seen from the coordinator."""
