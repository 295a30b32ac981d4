"""Looking at graphs."""
