"""Not here: graflow's executor of groups; a group is run by the same engine as everything else."""

from graflow_fast._extras import without

__getattr__ = without(__name__, GroupExecutor="a group's execution is set with ParallelGroup.with_execution(...)")
