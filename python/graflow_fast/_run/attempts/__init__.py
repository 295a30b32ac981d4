"""Attempts of one run: made, counted, ended, failed."""
