"""Workflow graphs with known answers, and the tests that run them everywhere."""
