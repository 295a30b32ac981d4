"""Not here: graflow's store of graphs in Redis."""

from graflow_fast._extras import absent

absent(
    __name__,
    "store of graphs in Redis",
    "One machine needs no Redis: workers are told of the graph by themselves",
)
