"""Bodies start processes of their own, as they do anywhere; and a program that its workers import runs no workflow."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2] / "python")


def run_script(folder, text, *arguments, name="program.py", expect=0):
    """Run a program of the user's in a process of its own; return what it printed to both streams."""
    (folder / name).write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, name, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == expect, done.stderr[-2000:]
    return done.stdout, done.stderr


POOLS = """
    import multiprocessing, sys
    from concurrent.futures import ProcessPoolExecutor
    from graflow_fast import task, workflow

    def square(x):
        print("squaring", flush=True)
        return x * x

    if __name__ == "__main__":
        with workflow("w") as wf:

            @task
            def squares(n):
                context = multiprocessing.get_context(sys.argv[1])
                with ProcessPoolExecutor(1, mp_context=context) as pool:
                    return list(pool.map(square, range(n)))

            squares.map([3])
            print(wf.execute(executor="process", max_workers=1))
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_of_processes_in_a_body(tmp_path, method):
    """Functions of the program's file are found there; what they print is heard, and nothing else."""
    out, err = run_script(tmp_path, POOLS, method)
    assert sorted(out.splitlines()) == ["[[0, 1, 4]]", *["squaring"] * 3]
    assert err == ""


def test_joblib_in_a_body(tmp_path):
    """As scikit-learn uses it for ``n_jobs``."""
    pytest.importorskip("joblib")
    program = """
        from joblib import Parallel, delayed
        from graflow_fast import task, workflow

        def square(x):
            return x * x

        with workflow("w") as wf:

            @task
            def fit(n):
                return Parallel(n_jobs=2)(delayed(square)(i) for i in range(n))

            fit.map([3])
            print(wf.execute())
    """
    assert run_script(tmp_path, program) == ("[[0, 1, 4]]\n", "")


def test_a_module_that_runs_a_workflow_when_it_is_imported(tmp_path):
    """One sentence says it, and not each of the processes that import it."""
    (tmp_path / "library.py").write_text(
        textwrap.dedent("""
            from graflow_fast import task, workflow

            def double(x):
                return x * 2

            with workflow("w") as wf:
                task("d")(double).map([1, 2])
                print(wf.execute(max_workers=1))
        """)
    )
    _, err = run_script(tmp_path, "import library\n", expect=1)
    assert 'put the call of execute() behind `if __name__ == "__main__":`' in err
    assert len(err) < 5000


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('sys.executable = ""', "[2]"),
        ("sys.frozen = True", "there is no Python interpreter to start them with (the program is frozen)"),
    ],
    ids=["no executable", "frozen"],
)
def test_programs_that_know_no_interpreter(tmp_path, setting, said):
    program = f"""
        import sys
        from graflow_fast import task, workflow
        {setting}

        with workflow("w") as wf:
            task("d")(lambda n: n + 1).map([1])
            try:
                print(wf.execute(executor="process", max_workers=1))
            except Exception as error:
                print(error)
    """
    assert said in run_script(tmp_path, program)[0]


def test_where_subprocesses_wrote_is_closed(tmp_path):
    """A program that shows resource warnings sees none."""
    program = """
        import subprocess, warnings
        from graflow_fast import parallel, task, workflow

        warnings.simplefilter("always", ResourceWarning)
        with workflow("build") as wf:

            @task
            def build(n):
                subprocess.run(["echo", str(n)], check=True)

            parallel(*(build(task_id=f"b{n}", n=n) for n in range(3)))
            wf.execute(executor="thread", max_workers=3)
    """
    assert run_script(tmp_path, program) == ("0\n1\n2\n", "")


def test_bodies_in_threads_do_not_wait_for_a_subprocess_module_that_another_thread_is_importing(tmp_path):
    """While it is imported it is there, and has no classes yet."""
    program = (
        "import sys, types\n"
        "from graflow_fast import parallel, task, workflow\n"
        "with workflow('w', executor='thread') as wf:\n"
        "    parallel(*(task(f't{n}')(lambda n=n: print(n)) for n in range(3)))\n"
        "sys.modules['subprocess'] = types.ModuleType('subprocess')\n"
        "wf.execute()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("0\n1\n2\n", "")
