"""Branches and groups of one run: what each sees and wrote, and the join."""
