"""What crosses of a definition: the code once, what it names when that has changed, and what is its own."""

import gc

import pytest
from told import Pool

from graflow_fast import task, workflow
from graflow_fast.core.definition import Definition
from graflow_fast.core.task import TaskWrapper

LIMIT = 1
TABLE = {"a": 1}


def closure(own):
    def body(x=0):
        return own, x, LIMIT, TABLE["a"]

    return Definition(body)


@pytest.fixture
def pool():
    return Pool()


def run(pool, keys, *arguments):
    with pool.worker() as worker:
        return [worker.definition(key).func(*arguments) for key in keys]


def test_a_thousand_closures_are_one_code_and_a_thousand_small_payloads(pool):
    definitions = [closure(number) for number in range(1000)]
    keys = [pool.table.keys_for(definition, "t") for definition in definitions]
    own = {each[0] for each in keys}
    assert len(own) == 1000
    assert len({key for each in keys for key in each} - own) <= 4
    assert sum(len(blob) for key, blob in pool.blobs.items() if key in own) < 60_000
    assert run(pool, [each[0] for each in keys]) == [(number, 0, 1, 1) for number in range(1000)]


def test_definitions_of_one_function_with_the_same_options_cross_as_one(pool):
    def body():
        return 7

    definitions = [Definition(body) for _ in range(100)]
    keys = {pool.table.keys_for(definition, "t") for definition in definitions}
    assert len(keys) == 1
    other = pool.table.keys_for(Definition(body, inject_context=True), "t")
    assert other not in keys
    (shared,) = keys
    first = definitions[0]
    assert pool.table.find(shared[0]) is first
    del definitions, first
    gc.collect()
    pool.table.forget_gone()
    with pytest.raises(LookupError):
        pool.table.find(shared[0])
    assert shared[0] not in pool.blobs


def test_the_one_that_crosses_for_others_lives_as_long_as_they(pool):
    def body():
        return 7

    first, second = Definition(body), Definition(body)
    keys = pool.table.keys_for(first, "t")
    assert pool.table.keys_for(second, "t") == keys
    del first
    gc.collect()
    pool.table.forget_gone()
    assert pool.table.find(keys[0]).func is body
    assert run(pool, keys[:1]) == [7]


@pytest.mark.parametrize("own", [1, True, 1.0, "1", b"1", None, (1, ("a", None)), ...], ids=repr)
def test_plain_values_come_back_as_they_were(pool, own):
    key = pool.table.keys_for(closure(own), "t")[0]
    ((found, *_),) = run(pool, [key])
    assert found == own
    assert type(found) is type(own)


def test_a_value_that_equals_another_one_is_another_one(pool):
    keys = [pool.table.keys_for(each, "t")[0] for each in [closure(1), closure(True), closure(1.0)]]
    assert [type(each[0]) for each in run(pool, keys)] == [int, bool, float]


def change_cell(definition):
    definition.func.__closure__[0].cell_contents = "other"


def change_list(definition):
    definition.func.__closure__[0].cell_contents.append("other")


def change_global(definition):
    definition.func.__globals__["LIMIT"] = "other"


def change_table(definition):
    definition.func.__globals__["TABLE"]["a"] = "other"


def change_default(definition):
    definition.func.__defaults__ = ("other",)


def change_code(definition):
    definition.func.__code__ = closure(0).func.__code__.replace(co_name="other")


CHANGES = [change_cell, change_list, change_global, change_table, change_default, change_code]


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
def test_what_a_definition_captures_is_looked_at_again_after_code_of_the_user(pool, change, monkeypatch):
    monkeypatch.setitem(globals(), "LIMIT", 1)
    monkeypatch.setitem(globals(), "TABLE", {"a": 1})
    definition = closure([1] if change is change_list else 1)
    before = pool.table.keys_for(definition, "t")
    answers = run(pool, before[:1])
    change(definition)
    assert pool.table.keys_for(definition, "t") == before
    pool.table.epoch += 1
    after = pool.table.keys_for(definition, "t")
    assert after[0] != before[0]
    pool.sent.update(pool.blobs)
    changed = run(pool, after[:1])
    assert changed == [definition.func()]
    assert changed != answers or change is change_code
    pool.table.epoch += 1
    assert pool.table.keys_for(definition, "t") == after


def test_only_what_has_changed_is_sent_again(pool, monkeypatch):
    monkeypatch.setitem(globals(), "TABLE", {"a": "x" * 10_000})
    monkeypatch.setitem(globals(), "LIMIT", 1)
    definition = closure(1)
    pool.table.keys_for(definition, "t")
    pool.sent.clear()
    globals()["LIMIT"] = 2
    pool.table.epoch += 1
    pool.table.keys_for(definition, "t")
    assert sum(map(len, pool.sent.values())) < 2_000


def test_a_key_that_waiting_tasks_may_have_is_kept_until_none_wait(pool):
    definition = closure(1)
    before = pool.table.keys_for(definition, "t")[0]
    pool.waiting = 1
    change_cell(definition)
    pool.table.epoch += 1
    pool.table.keys_for(definition, "t")
    pool.table.forget_gone()
    assert before in pool.blobs
    assert pool.table.find(before) is definition
    pool.waiting = 0
    pool.table.forget_gone()
    assert before not in pool.blobs


def test_nothing_is_kept_of_what_is_gone(pool):
    before = set(pool.blobs)  # classes of the program, which each pool is told of at once
    namespace = {"__name__": "__main__", "helpers": [1]}
    exec("def helper(): return helpers\ndef make(n):\n  def body(): return helper(), n\n  return body", namespace)
    definitions = [Definition(namespace["make"](n)) for n in range(10)]
    for definition in definitions:
        pool.table.keys_for(definition, "t")
    assert set(pool.blobs) - before
    namespace.clear()
    del namespace, definitions, definition
    gc.collect()
    pool.table.forget_gone()
    assert not set(pool.blobs) - before


def test_definitions_that_name_each_other(pool):
    namespace = {"__name__": "__main__", "answer": 1}
    exec("def first(): return second\ndef last(): return first, answer", namespace)
    first, last = Definition(namespace["first"]), Definition(namespace["last"])
    namespace["first"] = TaskWrapper("first", first, register_to_context=False)
    namespace["second"] = TaskWrapper("last", last, register_to_context=False)
    keys = pool.table.keys_for(last, "t")
    with pool.worker() as worker:
        task, answer = worker.definition(keys[0]).func()
        assert task._definition.func()._definition is worker.definition(keys[0])
    assert answer == 1
    namespace["answer"] = 2
    pool.table.epoch += 1
    changed = pool.table.keys_for(last, "t")
    pool.sent.update(pool.blobs)
    with pool.worker() as worker:
        task, answer = worker.definition(changed[0]).func()
        assert answer == 2
        assert task._definition.func()._definition.func()[1] == 2


SAME = {
    "a default": ("S = object()\ndef body(x=S): return x is S", True),
    "a cell": ("S = [1]\ndef make(s):\n  def body(): return s is S\n  return body\nbody = make(S)", True),
    "in another value": ("S = [1]\nT = {'s': S}\ndef body(): return T['s'] is S", True),
    "in another value, named later": ("T = {'s': [1]}\nS = T['s']\ndef body(): return T['s'] is S", True),
    "in two values": ("A = [[1]]\nB = [A[0]]\ndef body(): return A[0] is B[0]", True),
    "two names": ("A = B = [1]\ndef body(): return A is B", True),
    "a helper's": ("S = object()\ndef helper(): return S\ndef body(): return helper() is S", True),
    "a helper in a table": ("def helper(): pass\nT = [helper]\ndef body(): return T[0] is helper", True),
    "globals": ("def helper():\n  global N\n  N = 5\nN = 1\ndef body():\n  helper()\n  return N", 5),
    "a cell shared with itself": (
        "def make():\n  def body(n=2): return n and body(n - 1) or 7\n  return body\nbody = make()",
        7,
    ),
    "an empty cell": (
        "def make():\n  def body(): return 1 if True else late\n  return body\n  late = 1\nbody = make()",
        1,
    ),
}


@pytest.mark.parametrize(("source", "answer"), SAME.values(), ids=SAME)
def test_what_is_one_object_stays_one(pool, source, answer):
    namespace = {"__name__": "__main__"}
    exec(source, namespace)
    definition = Definition(namespace["body"])
    key = pool.table.keys_for(definition, "t")[0]
    assert run(pool, [key]) == [answer]


def test_functions_of_one_code_with_annotations_of_their_own():
    """What a value may be for a parameter is each function's own."""

    def make(kind):
        def body(x: kind):
            return x

        return body

    alone = []
    for kind in (dict, int):
        with workflow("alone") as flow:
            task("first")(lambda: {"x": 1}) >> task("body")(make(kind))
            alone.append(flow.execute(executor="process", max_workers=1))
    assert alone == [{"x": 1}, 1]
