"""What the tests of messages share: they read the language's errors as its user does.

Which task, what happened, why, what to do. Errors of worker processes are tested in tests/trust; how all look on
a terminal is in docs/errors.md.
"""

import pytest

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])


def nothing():
    """A body."""


def notes(error):
    """The lines that stand under an error's traceback, with Python 3.11 and newer."""
    return getattr(error, "__notes__", [])
