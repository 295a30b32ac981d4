"""Whether code of the user's may have run in this process beside the bodies, which are counted.

Owns the answer for one run. Where the answer is no, what functions capture need not be looked at again for each group.
What it can't see, and does not ask for: finalizers, and what shows output and log records of bodies, if that is the
program's own.
"""

from __future__ import annotations

import _thread
from typing import TYPE_CHECKING

from graflow_fast.channels.memory_channel import MemoryChannel

if TYPE_CHECKING:
    import signal as _signal

    from graflow_fast._places.host import PoolHost
else:
    import _signal  # without the names, which take long to import


class Disturbances:
    """Says whether somebody may have changed what functions capture, without the run having heard of it."""

    def __init__(self, host: PoolHost) -> None:
        self._host = host
        #: What a run has from its beginning: a tracer that listens, a channel with a class of its own.
        self._has_listeners = not host.silent or type(host.context.channel) is not MemoryChannel
        self._bodies_seen = -1
        self._has_handlers = False

    def may_have_been(self) -> bool:
        """Say whether code of the user's may have run here since this was last asked."""
        if self._has_listeners or _thread._count():
            return True
        if self._bodies_seen != self._host.bodies.count:  # they may have set a handler
            self._bodies_seen = self._host.bodies.count
            self._has_handlers = has_signal_handlers()
        return self._has_handlers


def has_signal_handlers() -> bool:
    """Say whether a signal would call a function of the program's."""
    plain = (None, _signal.SIG_DFL, _signal.SIG_IGN, _signal.default_int_handler)
    return any(_signal.getsignal(number) not in plain for number in range(1, _signal.NSIG))
