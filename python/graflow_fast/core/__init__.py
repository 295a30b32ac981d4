"""The language: tasks, graphs, workflows and contexts, where a `graflow` program imports them from."""
