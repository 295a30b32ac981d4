"""Bodies in worker processes: what is sent, what is asked for, what comes back, and what is lost."""
