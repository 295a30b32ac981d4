"""Reading the record of a run: summary, critical path, table of tasks, trace, report.

What is read is `columns.Columns`: one row for each attempt that has ended. This part only reads; it must not know how a
run is carried out, nor where its rows are kept.

- `columns`: what a record consists of.
- `words`: times, counts and percentages as people write them.
- `paths`: which tasks the end of the run waited for.
- `figures`: counts and sums by function and by worker.
- `summary`, `verdict`: a run in two or three lines, and in sentences.
- `tasks`, `conditions`: rows one by one, and the words that select among them.
- `layers`, `graph_picture`, `timeline_picture`: drawings without a script.
- `packing`, `report`, `page`: the report, one HTML file.
- `slices`: the trace for Perfetto.
- `commands`: what the command line prints, as functions.
- `run`: the object that users hold.
"""
