"""t.run() of an instance uses the bound parameters."""

from graflow.core.decorators import task


@task
def greet(name, greeting="hello"):
    return f"{greeting} {name}"


ada = greet(task_id="ada", name="Ada")
print(ada.run())
print(ada.run(greeting="bye"))
print(ada.run(name="Bob"))
