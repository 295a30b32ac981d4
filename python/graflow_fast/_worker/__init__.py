"""The worker's side: a process that runs bodies and records their effects. It knows neither graph nor other tasks."""
