"""What happens in tests of cached tasks: bodies that ran, in whatever process, and reasons why nothing was kept."""

from __future__ import annotations

import os
import warnings

from graflow_fast.exceptions import NotCachedWarning


def note(name):
    with open(os.environ["TEST_CALLS"], "a") as file:
        file.write(f"{name}\n")


def refused(wf, run, executor="inline"):
    """Run a workflow twice; return the reasons that were given for not keeping anything."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run(wf, executor)
        run(wf, executor)
    return [each.message.reason for each in warned if isinstance(each.message, NotCachedWarning)]
