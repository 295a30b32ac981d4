"""The language: tasks, graphs, workflows and contexts, where a `graflow` program imports them from."""

try:
    import graflow_fast._core  # noqa: F401 - all modules here need it: whoever can't have it is told once, and why
except ImportError as _error:
    from graflow_fast._extras import no_compiled_part

    raise no_compiled_part(_error) from None
