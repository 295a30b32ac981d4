"""What the program has set for its process, set here, too; see `graflow_fast._places.process.program`."""
