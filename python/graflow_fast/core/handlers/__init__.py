"""Ways to run tasks, and policies that judge parallel groups."""
