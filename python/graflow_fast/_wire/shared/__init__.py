"""Private: large buffers in shared memory, so that they cross between processes without going through a pipe."""
