"""What head and station tell each other over the trunk: kinds of messages. Owns these numbers and nothing else."""

from __future__ import annotations

#: Both ways: whole or partial frames to a worker, whole frames from one.
DATA = 1
#: To a station: start a worker under this number; end it (content: the grace, as text); nothing comes from its link
#: any more; an epoch of live keys (content: 8 bytes); have what bodies say told while they run; end; nobody will say
#: anything for a while, until somebody does.
FORK, KILL, DROP, EPOCH, LIVE, END, REST = 10, 11, 12, 13, 14, 15, 16
#: From a station: changes of a worker's claims; what it wrote to one of its files (content: which one, where, what);
#: its process (marshalled); how it ended (marshalled: wait status and peak memory, None if it had to be ended); why no
#: worker can be started (text); why the station ends (text).
CLAIMS, WRITTEN, STARTED, ENDED, FAILED, BROKEN = 20, 21, 22, 23, 24, 25

#: Bytes of messages in a blob, about.
MOST = 8 << 20
