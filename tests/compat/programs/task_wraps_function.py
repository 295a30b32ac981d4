"""A task keeps the name, documentation and annotations of its function."""

from graflow.core.decorators import task


@task("other_id")
def measure(size: int) -> float:
    """Measure something."""
    return size / 2


print(measure.__name__, measure.__qualname__, measure.__module__)
print(measure.__doc__)
print(sorted(measure.__annotations__))
print(measure.task_id, repr(measure))
