"""Functions that bodies make and enqueue: they mean what they mean in this process, and only their own values cross."""

import subprocess
import sys

import pytest

PROGRAM = '''
import sys
from graflow_fast import parallel, task, workflow

FACTOR = 3


def scaled(x):
    return FACTOR * x


def twice(function):
    def inner(*arguments):
        return 2 * function(*arguments)
    return inner


@task(inject_context=True)
def closure(ctx, x):
    @task(f"closure_{x}")
    def made(y=5, *, z: int = 7):
        """Says something."""
        return [x, y, z, scaled(x), made.__name__, made.__doc__, FACTOR]
    ctx.next_task(made)


@task(inject_context=True)
def nested(ctx, x):
    @task(f"outer_{x}", inject_context=True)
    def outer(ctx):
        @task(f"inner_{x}")
        def inner():
            return ["inner", x, FACTOR]
        ctx.next_task(inner)
        return "outer"
    ctx.next_task(outer)


@task(inject_context=True)
def again(ctx, x):
    left = [x]

    @task(f"again_{x}", inject_context=True)
    def made(ctx):
        if left[0] == 0:
            return "end"
        return [left[0], made.task_id]
    ctx.next_task(made)


@task(inject_context=True)
def wrapped(ctx, x):
    @twice
    def made():
        return x
    ctx.next_task(task(f"wrapped_{x}")(made))


@task(inject_context=True)
def made_by_text(ctx, x):
    namespace = {"x": x}
    exec("def made(): return ['text', x]", namespace)
    ctx.next_task(task(f"text_{x}")(namespace["made"]))


@task(inject_context=True)
def lambdas(ctx, x):
    ctx.next_task(task(f"lambda_{x}")(lambda: [i * x for i in range(3)]))


@task(inject_context=True)
def options(ctx, x):
    @task(f"options_{x}", max_retries=2, timeout=60.0)
    def made():
        return "with options"
    made.note = ["kept"]
    ctx.next_task(made)


KINDS = [closure, nested, again, wrapped, made_by_text, lambdas, options]


def run(executor):
    with workflow("made") as wf:
        parallel(*[kind(task_id=f"{kind.__name__}{x}", x=x) for kind in KINDS for x in range(3)])
        _, context = wf.execute(executor=executor, max_workers=2, ret_context=True)
    found = {key: context.channel.get(key) for key in context.channel.keys()}
    return sorted((key, str(value)) for key, value in found.items() if key.endswith("__result__"))


if __name__ == "__main__":
    expected, seen = run("inline"), run("process")
    for name, value in seen:
        print(name, value)
    assert seen == expected, (expected, seen)
'''


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    script = tmp_path_factory.mktemp("made") / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "line",
    [
        "closure_2.__result__ [2, 5, 7, 6, 'made', 'Says something.', 3]",
        "inner_1.__result__ ['inner', 1, 3]",
        "again_2.__result__ [2, 'again_2']",
        "wrapped_2.__result__ 4",
        "text_1.__result__ ['text', 1]",
        "lambda_2.__result__ [0, 2, 4]",
        "options_0.__result__ with options",
    ],
)
def test_a_function_that_a_body_makes_runs_as_in_this_process(said, line):
    assert line in said.splitlines(), said


def test_the_code_of_a_function_that_a_body_makes_stays_where_it_is():
    from graflow_fast import task, workflow

    @task("maker")
    def maker(x):
        import pickletools

        from graflow_fast._wire import effects

        def made():
            return x, "a constant of the code"

        packed = effects.pack_task("maker", task("made")(made))
        return len(packed), "a constant" in str([argument for _, argument, _ in pickletools.genops(packed)])

    with workflow("code") as wf:
        maker(task_id="m", x=1)
        length, has_constant = wf.execute(executor="process", max_workers=1)
    assert not has_constant
    assert length < 1000


def test_large_values_of_a_task_that_a_body_enqueues_take_no_pipe():
    """By shared memory, as all large values: an argument of a known task, and what a new one has captured."""
    import numpy as np

    from graflow_fast import task, workflow

    @task("use")
    def use(values):
        return float(values.sum())

    @task("maker", inject_context=True)
    def maker(ctx, count):
        from graflow_fast._wire import effects

        values = np.ones(count)
        known = use(task_id="known", values=values)

        @task("new")
        def new():
            return float(values.sum())

        lengths = [len(effects.pack_task("maker", made)) for made in (known, new)]
        ctx.next_task(known)
        ctx.next_task(new)
        return lengths

    with workflow("large") as wf:
        maker(task_id="m", count=4_000_000)
        _, context = wf.execute("m", executor="process", max_workers=1, ret_context=True)
    assert max(context.get_result("m")) < 5000
    assert context.get_result("known") == context.get_result("new") == 4_000_000.0
