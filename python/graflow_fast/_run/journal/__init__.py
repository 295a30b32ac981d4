"""The journal of a durable run: what is written down of each end, and how another process goes on from it."""
