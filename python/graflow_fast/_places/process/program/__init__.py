"""What the program has set for its process, as workers are told: log, warnings, numbers, variables of modules."""
