"""The tasks that wait in a context before a run, as objects. While it runs, the scheduler keeps what is ready."""
