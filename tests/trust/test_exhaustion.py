"""No descriptors, no memory files, a full folder: a clear error or another way, never a hang or a lost task.

Each program runs on its own, as limits can't be raised again for a process that keeps others waiting.
"""

import subprocess
import sys
import textwrap

import pytest

COMMON = textwrap.dedent(
    """
    import gc, os, resource, signal, sys, time, warnings
    import cloudpickle, psutil
    from graflow_fast import parallel, task, workflow
    from graflow_fast._pool import registry
    from graflow_fast.exceptions import GraflowRuntimeError, ParallelGroupError

    FILES = resource.RLIMIT_NOFILE
    SOFT, HARD = resource.getrlimit(FILES)

    def run(body, count=40, **options):
        made = task(id="work", **options)(body)
        with workflow("exhausted") as wf:
            parallel(*(made(task_id=f"t{n}", number=n) for n in range(count)))
        context = wf.execute(max_workers=2, ret_context=True)[1]
        return [context.get_result(f"t{n}") for n in range(count)]

    def plain(number):
        return number

    def large(number):
        return bytes([number]) * 1_000_000

    def open_files():
        gc.collect()
        return len(os.listdir("/proc/self/fd")) - 1

    def allow(extra):
        resource.setrlimit(FILES, (open_files() + extra, HARD))

    def allow_all():
        resource.setrlimit(FILES, (SOFT, HARD))

    def said(caught):
        return [str(warning.message) for warning in caught]

    assert run(plain) == list(range(40))
    assert run(large, 2)[1] == large(1)
    """
)


def check(program):
    done = subprocess.run(
        [sys.executable, "-c", COMMON + textwrap.dedent(program)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_pool_that_can_not_be_started():
    """With every number of descriptors left, from none to enough; afterwards nothing is left, and a pool starts."""
    out = check(
        """
        registry.shutdown_all()
        before = open_files()
        outcomes = []
        for extra in range(26):
            allow(extra)
            begun = time.monotonic()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    assert run(plain) == list(range(40))
                    outcomes.append("less" if caught else "all")
                except GraflowRuntimeError as error:
                    assert "Too many open files" in str(error) and "ulimit -n" in str(error), error
                    outcomes.append("error")
            assert time.monotonic() - begun < 5
            assert all("Going on with 1." in text for text in said(caught)), said(caught)
            allow_all()
            registry.shutdown_all()
            assert open_files() == before, (extra, open_files(), before)
            assert psutil.Process().children() == []
        assert run(plain) == list(range(40))
        print(*dict.fromkeys(outcomes))
        """
    )
    assert out.split() == ["error", "less", "all"]


def test_a_worker_that_can_not_be_replaced():
    """The run goes on with the others; when there are descriptors again there are as many workers as before."""
    check(
        """
        def dies(number):
            if number == 7:
                os.kill(os.getpid(), signal.SIGKILL)
            return number

        for extra in range(6):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                allow(extra)
                try:
                    run(dies)
                except ParallelGroupError as error:
                    assert [name for name, _ in error.failed_tasks] == ["t7"], error.failed_tasks
                    assert len(error.successful_tasks) == 39
                else:
                    raise AssertionError("it did not die")
            if extra == 0:
                assert "Too many open files" in said(caught)[0] and "Going on with 1." in said(caught)[0]
            allow_all()
            assert run(plain) == list(range(40))
            template, = psutil.Process().children()
            deadline = time.monotonic() + 20  # the run may be over before the second has begun
            while len(template.children()) != 2:
                assert time.monotonic() < deadline, template.children()
                time.sleep(0.001)
        """
    )


def test_no_worker_is_left_and_none_can_be_started():
    check(
        """
        def dies(number):
            os.kill(os.getpid(), signal.SIGKILL)

        allow(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                run(dies, max_retries=5)
            except GraflowRuntimeError as error:
                assert "Too many open files" in str(error), error
        allow_all()
        assert run(plain) == list(range(40))
        """
    )


def test_large_results_without_descriptors_are_copied():
    check(
        """
        for extra in range(4):
            allow(extra)
            assert run(large) == [large(number) for number in range(40)]
            allow_all()
        """
    )


def test_large_arguments_without_descriptors_go_through_the_pipe():
    check(
        """
        def size(number, data):
            return len(data)

        def sizes():
            made = task(id="size")(size)
            with workflow("exhausted") as wf:
                parallel(*(made(task_id=f"t{n}", number=n, data=bytes(1_000_000 + n)) for n in range(8)))
            context = wf.execute(max_workers=2, ret_context=True)[1]
            assert [context.get_result(f"t{n}") for n in range(8)] == [1_000_000 + n for n in range(8)]

        allow(1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sizes()
        assert any("no shared memory for 1000" in text and "Too many open files" in text for text in said(caught))
        allow_all()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sizes()
        """
    )


def test_a_limit_on_the_size_of_files():
    """Memory files count: arguments and results that are larger cross through the pipe, and the warning says so."""
    check(
        """
        def turn(data):
            return data[::-1]

        def there_and_back(size):
            with workflow("exhausted") as wf:
                task(id="turn")(turn)(task_id="t", data=b"a" + bytes(size))
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                assert wf.execute(executor="process", max_workers=1) == bytes(size) + b"a"
            return said(caught)

        assert there_and_back(2_000_000) == []
        registry.shutdown_all()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        texts = there_and_back(3_000_000)
        assert len(texts) == 2, texts  # one from here, one from the worker, whose limit is the same
        assert all("no shared memory for 3000001 bytes (File too large)" in text for text in texts), texts
        """
    )


def test_a_full_folder_for_shared_memory(tmp_path):
    """A real file system of one megabyte, where the machine lets us mount one."""
    program = tmp_path / "program.py"
    program.write_text(
        COMMON
        + textwrap.dedent(
            """
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                assert run(lambda number: bytes([number]) * 600_000, 8)[7] == bytes([7]) * 600_000
                assert run(large, 8)[7] == large(7)
            texts = said(caught)
            assert any("no shared memory for 1000000 bytes (No space left on device)" in text for text in texts), texts
            """
        )
    )
    (tmp_path / "shm").mkdir()
    script = 'mount -t tmpfs -o size=1m none "$1" || exit 77; GRAFLOW_FAST_SHM_DIR="$1" exec "$2" "$3"'
    try:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path / "shm"), sys.executable, str(program)],
            capture_output=True,
            text=True,
            timeout=100,
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_body_that_uses_up_its_workers_descriptors():
    """It gets the system's error; tasks after it work, and one that needs a descriptor is told why it can't."""
    check(
        """
        def leaks():
            kept = sys.modules["kept"] = []
            resource.setrlimit(FILES, (64, HARD))
            try:
                while True:
                    kept.append(open("/dev/null"))
            except OSError as error:
                return str(error)

        with workflow("exhausted") as wf:
            task(id="leaks")(leaks) >> task(id="after")(lambda: 5)
        context = wf.execute("leaks", executor="process", max_workers=1, ret_context=True)[1]
        assert "Too many open files" in context.get_result("leaks")
        assert context.get_result("after") == 5
        """
    )
