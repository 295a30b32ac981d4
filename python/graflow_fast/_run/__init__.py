"""One run of a workflow: carrying out what the scheduler says, scopes of the channel, replay, output and errors.

Where to begin: `driver` (the loop), then what it hands on to.

- The run: `driver`, `actions`, `settings`, `placement`, `nodes`, `attempt`, `attempts`, `stop`, `resume`, `explain`,
  `tracing`, `forgetting`.
- A body and its outcome: `arguments`, `bodies` (this process), `threads`, `direct` (no run at all), `outcomes`,
  `directives`, `failures`, `output`.
- What it sees of the channel and the graph: `branches`, `groups`, `scope`, `additions`, `concurrency`, `versions`,
  `foreign`.
- Bodies in worker processes: `processes`, `sending`, `definitions`, `captured`, `requests`, `live_journal`,
  `live_output`, `growth`; those that did not end well: `losses`, `deaths`, `crashes`.
- What crosses between processes: `crossing`, `pickling`, `by_value`, `plain_functions`, `importable`, `packing`,
  `serialization`.
- Short ways for plain steps: `inline`, `steps`. Items of `task.map`: the package `maps`.
"""
