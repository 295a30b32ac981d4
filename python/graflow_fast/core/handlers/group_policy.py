"""Where `graflow` has its group policies; ours are in `graflow_fast.core.group_policy`."""

from graflow_fast.core.group_policy import *  # noqa: F403
from graflow_fast.core.group_policy import __all__ as __all__
