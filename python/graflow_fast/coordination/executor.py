"""Where graflow has its executor of groups, which is not here: a group is run by the same engine as everything else."""

from graflow_fast._extras import without
from graflow_fast.coordination.coordinator import CoordinationBackend, TaskCoordinator

__all__ = ["CoordinationBackend", "TaskCoordinator"]

__getattr__ = without(__name__, GroupExecutor="a group's execution is set with ParallelGroup.with_execution(...)")
