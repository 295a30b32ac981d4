"""One run of a workflow: carrying out what the scheduler says, scopes of the channel, replay, output and errors."""
