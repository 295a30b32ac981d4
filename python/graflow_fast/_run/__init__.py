"""One run of a workflow: carrying out what the scheduler says, until nothing is left to do.

Where to begin: `driver` (the loop), then what it hands on to.

- The run: `driver`, `settings`, `nodes`, `stop`, `outside`, `resume`, `explain`, `tracing`, `planning`,
  `listeners`, `recording`, `spans`, `progress`, `cell`, `log`, `forgetting`, `lanes`,
  `resources`.
- `attempts`: attempts under way, what they asked for and how they ended.
- `branches`: groups and their members, what each sees and wrote, and the join.
- `journal`: what a durable run writes down, and how another process goes on from it.
- `maps`: items of `task.map`.

What a body sees is `graflow_fast._body`'s, where it runs `graflow_fast._places`', and how it gets there
`graflow_fast._wire`'s.
"""
