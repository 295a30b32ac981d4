"""One meaning: random workflows, a reference model, and every placement against both."""
