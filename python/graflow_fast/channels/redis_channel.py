"""Not here: graflow's Redis channel."""

from graflow_fast._extras import absent

absent(
    __name__,
    "Redis channel",
    "One machine needs no Redis: leave the backend out, and all workers share the run's channel; for "
    "another store, ChannelFactory.register_backend(name, class)",
)
