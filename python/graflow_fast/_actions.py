"""The numbers of the scheduler's vocabulary: actions it gives, reasons it ends with, directives it takes.

For whoever talks to the scheduler; knows nothing of what is done about them.
"""

#: (kind, ticket, node, branch, number, tag, cause); what the numbers mean depends on the kind.
Action = tuple[int, int, int, int, int, int, int]

RUN, FORK, BRANCH_ENDED, JOIN, ABANDON, FINISHED, OVERRUN = range(7)
COMPLETED, TERMINATED, CANCELLED, FAILED, MAX_STEPS, OVERRAN = range(6)
ENQUEUE, GOTO, ITERATE, TERMINATE, CANCEL = range(5)

BRANCH_FAILED, BRANCH_STOPPED = 1, 2
