"""The leaf public modules: errors, policies, channels, tracers, drawings."""
