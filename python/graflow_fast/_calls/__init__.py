"""Functions of other programs in worker processes: `graflow_fast.Executor`, without workflows."""
