"""The command line: ``graflow-fast`` and ``python -m graflow_fast``. Each subcommand is a file of its own."""
