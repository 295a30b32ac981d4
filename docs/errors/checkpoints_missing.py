"""A checkpoint that does not exist.

`context.last_checkpoint_path` is where the last one was written.
"""

from graflow_fast.core.checkpoint import CheckpointManager

CheckpointManager.resume_from_checkpoint("yesterday.pkl")
