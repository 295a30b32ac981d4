"""joblib, and through it scikit-learn, on this package's workers."""

import os
import time

import psutil
import pytest

joblib = pytest.importorskip("joblib", reason="joblib is not installed")

import graflow_fast.joblib  # noqa: E402
from graflow_fast.exceptions import WorkerCrashedError  # noqa: E402


@pytest.fixture(autouse=True)
def backend():
    graflow_fast.joblib.register()
    with joblib.parallel_config(backend="graflow_fast", n_jobs=2):
        yield


@pytest.fixture(scope="module", autouse=True)
def nothing_left():
    yield
    workers = graflow_fast.joblib._workers
    if workers._executor is not None:
        workers._executor.shutdown()
        workers._executor = None


def run(calls, **options):
    return joblib.Parallel(**options)(calls)


def test_calls_run_in_worker_processes_in_order():
    found = run(joblib.delayed(lambda number: (number * 2, os.getpid()))(number) for number in range(30))
    assert [value for value, _ in found] == list(range(0, 60, 2))
    assert os.getpid() not in {process for _, process in found}


def test_results_may_be_a_generator():
    assert list(run((joblib.delayed(pow)(number, 2) for number in range(10)), return_as="generator")) == [
        number**2 for number in range(10)
    ]


def test_workers_stay_for_the_next_call():
    processes = [set(run(joblib.delayed(os.getpid)() for _ in range(8))) for _ in range(2)]
    assert processes[0] & processes[1]


def test_small_calls_are_sent_in_batches():
    sizes = []

    class Noting(graflow_fast.joblib.Backend):
        def compute_batch_size(self):
            sizes.append(super().compute_batch_size())
            return sizes[-1]

    joblib.register_parallel_backend("noting", Noting)
    joblib.Parallel(backend="noting", n_jobs=2)(joblib.delayed(abs)(number) for number in range(2000))
    assert max(sizes) > 10


@pytest.mark.parametrize(("jobs", "workers"), [(1, 1), (3, 3), (-1, 4), (-2, 3), (-9, 1), (None, 1)])
def test_numbers_of_jobs_mean_what_joblib_says(jobs, workers, monkeypatch):
    monkeypatch.setenv("GRAFLOW_FAST_WORKERS", "4")
    assert graflow_fast.joblib.Backend().effective_n_jobs(jobs) == workers
    with pytest.raises(ValueError, match="n_jobs == 0"):
        graflow_fast.joblib.Backend().effective_n_jobs(0)


def test_one_job_runs_here():
    assert run((joblib.delayed(os.getpid)() for _ in range(2)), n_jobs=1) == [os.getpid()] * 2


def test_an_error_ends_the_call_and_the_next_one_works():
    def fail(number):
        return 1 // number

    with pytest.raises(ZeroDivisionError):
        run(joblib.delayed(fail)(number) for number in (1, 0, 1, 1))
    with pytest.raises(WorkerCrashedError):
        run(joblib.delayed(os._exit)(1) for _ in range(2))
    assert run(joblib.delayed(fail)(number) for number in (1, 1)) == [1, 1]


def test_an_error_ends_the_calls_beside_it(tmp_path):
    process, begun = tmp_path / "process", tmp_path / "begun"

    def wait():
        process.write_text(str(os.getpid()))
        process.rename(begun)
        while True:
            time.sleep(0.01)

    def fail():
        while not begun.exists():
            time.sleep(0.005)
        raise LookupError("not there")

    with pytest.raises(LookupError):
        run([joblib.delayed(wait)(), joblib.delayed(fail)()])
    number = int(begun.read_text())
    if psutil.pid_exists(number):
        psutil.wait_procs([psutil.Process(number)], 30)
    assert not psutil.pid_exists(number)


def test_inner_calls_run_in_threads():
    def inner():
        from joblib.parallel import get_active_backend

        found = joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(2))
        return type(get_active_backend()[0]).__name__, set(found) == {os.getpid()}

    assert run(joblib.delayed(inner)() for _ in range(2)) == [("ThreadingBackend", True)] * 2


def test_a_search_of_scikit_learn_finds_the_same():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    import numpy
    from sklearn.model_selection import GridSearchCV
    from sklearn.tree import DecisionTreeClassifier

    random = numpy.random.default_rng(1)
    samples = random.normal(size=(60, 3))
    labels = (samples[:, 0] + samples[:, 1] > 0).astype(int)

    def search(jobs):
        found = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, cv=2, n_jobs=jobs)
        return found.fit(samples, labels).cv_results_["mean_test_score"].tolist()

    assert search(2) == search(1)
