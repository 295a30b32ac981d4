"""Channels: how tasks share values."""
