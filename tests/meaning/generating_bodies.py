"""Random tasks: their scripts, functions, parameters and limits. Knows nothing of the graph around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from .bodies import FUNCTIONS
from .program import Pairs, Parameter, Step, Task

SCALARS, LISTS, SUMS, LOCKED = ("k0", "k1", "k2"), ("l0", "l1"), ("+0", "+1"), ("+2", "+3")
FOREVER = 99
FAR, OVER = 100_000, -1  # seconds: not over before any run ends, over at once

VALUES = [0, 1, 2, "x", None, (1, 2)]
OBJECTS = [("point", 1, 2), ("color", "RED"), ("dict", (("p", 1), ("k0", ("point", 1))))]
SLOTTED = ("slotted", 3)
MAPPINGS = [("dict", (("p", 1), ("q", "x"))), ("dict", (("p", ("dict", (("p", 3),))),)), ("dict", ())]
ITEMS = [0, 1, 2, "x", (1, 2), ("point", 1, 2)]
BOUND = [0, "x", (1, 2), ("dict", (("p", 1),)), ("point", 4, 5)]

FORMS = ("context", "both", "plain", "lambda", "shared", "instance", "imported")
SEEING = ("context", "both", "shared")  # those that take the context

CONTROL = ["goto"] * 4 + ["spawn"] * 3 + ["share"] * 4 + ["fail"] * 4 + ["iterate"] * 3 + ["next"] * 3
CONTROL += ["terminate", "cancel"]
#: What steps on the channel there are, the more often the more times.
CHANNEL = ["set", "set", "extend", "read", "delete", "list", "count", "look", "lived set", "lived list", "length"]


def one_in(random: Random, number: int) -> bool:
    """True once in so many times."""
    return random.randrange(number) == 0


@dataclass(frozen=True)
class Kinds:
    """What the bodies of one program may be and do.

    With `alone` nobody but a task's own predecessors may have a say in what it does: `alone` are their names.
    """

    names: tuple[str, ...]
    forms: tuple[str, ...] = FORMS
    says: bool = False
    says_below: bool = False
    clears: bool = False
    objects: bool = False
    slots: bool = False
    limits: bool = False
    fails: bool = True
    directs: bool = True
    alone: tuple[str, ...] | None = None

    def among(self, before: tuple[str, ...]) -> Kinds:
        """The same for a task that may read nothing but the results of those before it."""
        return replace(self, alone=before, clears=False, directs=False)


def policy(random: Random, critical: str | None = None) -> Any:
    """A group's policy; `critical` is a member."""
    some: list[Any] = ["strict", "strict", "best_effort", ("at_least", 1), ("at_least", 2)]
    return random.choice(some if critical is None else [*some, ("critical", (critical,))])


def items(random: Random) -> tuple[Any, ...]:
    """What a map is given to run over."""
    drawn = tuple(random.choice(ITEMS) for _ in range(random.randrange(5)))
    return (
        (7, *drawn) if drawn and isinstance(drawn[0], str) else drawn
    )  # a text in front says what is made of the rest


def channel_step(random: Random, kinds: Kinds) -> Step:
    """A step that reads or writes the channel."""
    k, many, n = random.choice(SCALARS), random.choice(LISTS), random.randrange(10)
    end = ("append", "prepend")[n % 2]
    objects = [*OBJECTS, *[SLOTTED] * kinds.slots]
    value = random.choice([*VALUES, *objects] if kinds.objects else VALUES)
    lifetime = random.choice([FAR, FAR, OVER])
    steps: dict[str, Step] = {
        "set": ("set", k, value),
        "extend": (end, many, n),
        "read": ("read", random.choice(SCALARS + LISTS)),
        "delete": ("delete", random.choice(SCALARS + LISTS)),
        "list": ("set", many, (7,)),
        "count": ("count", ("c0", "c1")[n % 2]),
        "look": (("keys", "counters")[n % 2],),
        "lived set": ("set", k, value, lifetime),
        "lived list": (end, many, n, lifetime),
        "length": ("length", many, n),
        "same": ("same", k, random.choice(objects)),
        "clear": ("clear",),
        "add": ("add", random.choice(SUMS), n),
        "locked": ("locked", random.choice(LOCKED), n),
    }
    more = ["same", "same"] if kinds.objects else []
    # What is live is everybody's at once: who clears it would matter.
    return steps[random.choice([*CHANNEL, *more, *(["clear", "clear"] if kinds.clears else ["add", "locked"])])]


def own_step(random: Random, name: str, kinds: Kinds) -> Step:
    """A step whose effect no other task sees, but in the end or behind an edge."""
    n = random.randrange(10)
    steps: list[Step] = [
        ("append", f"l.{name}", n),
        ("set", f"k.{name}", n, *((FAR,) if n > 6 else ())),
        ("add", random.choice(SUMS), n),
        ("locked", random.choice(LOCKED), n),
        ("read", f"k.{name}"),
    ]
    if kinds.alone:
        steps += [("result", random.choice(kinds.alone))] * 2
    return random.choice(steps)


def saying_step(random: Random, kinds: Kinds) -> Step:
    """A step that says something."""
    n = random.randrange(10)
    if not kinds.says or one_in(random, 3):
        return ("print", n)
    below = ["write", "write", "write", "shell"] if kinds.says_below else []
    return ("say", random.choice(["print", "log", "log", "warn", "warn", *below]), n)


def any_step(random: Random, name: str, form: str, kinds: Kinds) -> Step:
    """A step without a directive that a function of that form can take."""
    if form not in SEEING or one_in(random, 3):
        return saying_step(random, kinds)
    return channel_step(random, kinds) if kinds.alone is None else own_step(random, name, kinds)


def leaf(random: Random, label: str, kinds: Kinds) -> Task:
    """A task without directives: what bodies create at run time."""
    form = random.choice([form for form in kinds.forms if form in FORMS[:4]] or ["context"])
    task = Task(label, (), returned(random, form, kinds), random.choice([0, 0, 0, 1, 2]), form=form)
    steps = [any_step(random, label, form, kinds) for _ in range(random.randrange(3))]
    if one_in(random, 10) and kinds.fails:
        steps.append(("fail", "leaf", 0, random.choice([1, FOREVER]) if form in SEEING else FOREVER))
    return replace(with_parameters(random, task, kinds), steps=tuple(steps))


def fragment(random: Random, kinds: Kinds) -> tuple[Any, ...]:
    """A leaf, a chain of leaves, a group, or a chain around a group."""
    a, b, c, d = (("task", leaf(random, label, kinds).plain()) for label in "abcd")
    group = ("group", "g", (b, ("chain", (c, d))), random.choice(["strict", "best_effort"]))
    shapes: list[Any] = [a, a, ("chain", (a, b)), group, ("chain", (a, group)), ("chain", (group, a))]
    return random.choice(shapes)  # type: ignore[no-any-return]


def control_step(random: Random, form: str, kinds: Kinds) -> Step:
    """One directive or failure, active on the first few runs of its task."""
    kind = random.choice(CONTROL)
    last = random.choice([1, 1, 2, 3])
    if form not in SEEING or not kinds.directs:
        kind = "fail"
    if kind in ("spawn", "share") and form == "shared":
        kind = "next"
    if kind in ("next", "goto"):
        return ("next", random.choice(kinds.names), kind == "goto", 0, last)
    if kind == "spawn":
        return ("next", fragment(random, kinds), one_in(random, 5), 0, last)
    if kind == "share":
        alone = ("task", leaf(random, "a", kinds).plain())
        return ("share", fragment(random, kinds) if one_in(random, 5) else alone, one_in(random, 5), 0, last)
    if kind == "iterate":
        return ("iterate", random.choice([None, None, 5]) if form == "context" else None, 0, last)
    if kind == "fail":
        return ("fail", "boom", 0, random.choice([1, 1, 2, FOREVER]) if form in SEEING else FOREVER)
    return (kind, f"{kind} it", random.choice([0, 0, 1]), FOREVER)


def returned(random: Random, form: str, kinds: Kinds) -> Any:
    """What a body returns."""
    some: list[Any] = [None, 1, 2, "done", (1, 2), None, 1, 2, *MAPPINGS]
    if form in SEEING and kinds.alone is None:
        some += [("read", "k0"), ("read", "l0"), ("read", "c0")]
    return random.choice([*some, *OBJECTS, *[SLOTTED] * kinds.slots] if kinds.objects else some)


def with_parameters(random: Random, task: Task, kinds: Kinds, item: bool = False) -> Task:
    """The task with parameters: bound ones, and open ones filled from the channel, the default, or the task before."""
    if task.form == "context":
        return task
    if task.form == "imported":
        names = list(random.choice([each for each in FUNCTIONS if each or not item]))
    else:
        known = [*SCALARS[:2], LISTS[0], *kinds.names] if kinds.alone is None else list(kinds.alone)
        names = list(dict.fromkeys(random.choice([*known, "p", "p", "q"]) for _ in range(random.choice([0, 1, 1, 2]))))
        names = ["item", *names] if item else names
    parameters, bound = [], []
    for number, name in enumerate(names):
        parameter, value = one_parameter(random, task.form, name, kinds, item and number == 0)
        parameters.append(parameter)
        bound += [(name, value)] if value is not None else []
    parameters.sort(key=lambda each: (each[3], not each[1]))  # keyword-only ones last, before them those with defaults
    returns = ("argument", names[0]) if names and one_in(random, 3) else task.returns
    return replace(task, parameters=tuple(parameters), bound=tuple(bound), returns=returns)


def one_parameter(random: Random, form: str, name: str, kinds: Kinds, is_item: bool) -> tuple[Parameter, Any]:
    """A parameter, and what is bound to it (None: nothing)."""
    annotation = None if form in ("lambda", "imported") else random.choice([None, None, "int", "dict"])
    if is_item:
        return (name, True, None, False, annotation), None
    how = random.choice(["bound", "default", "default", "open"] if kinds.alone is None else ["bound", "default"])
    if kinds.alone and name in kinds.alone:
        how = "open"
    if form == "imported":
        how = "open" if how == "default" else how
    default = random.choice(VALUES) if how == "default" else None
    keyword_only = form not in ("imported", "shared", "instance") and one_in(random, 4)
    value = random.choice(BOUND) if how == "bound" else None
    return (name, how != "default", default, keyword_only, annotation), value


def scripted(random: Random, name: str, kinds: Kinds, leave: Step | None, item: bool = False) -> Task:
    """A task with a script: some channel traffic, and in half of the tasks a directive or failure.

    `leave` is the step that leaves a loop, if the task closes one; with `item` it is run for each item of a map.
    """
    forms = [form for form in kinds.forms if not ((item and form == "context") or (leave and form not in SEEING[:2]))]
    form = random.choice(forms or ["both"])
    task = with_parameters(random, Task(name, form=form, returns=returned(random, form, kinds)), kinds, item)
    steps = [any_step(random, name, form, kinds) for _ in range(random.choice([0, 1, 1, 2, 3]))]
    if one_in(random, 10) and form in SEEING and kinds.alone is None:
        steps.append(("result", random.choice(kinds.names)))
    steps += control_steps(random, form, kinds, item)
    if item:
        steps = [step for step in steps if step[0] != "counters"]
    if leave:
        steps.append(leave)
    tries = random.choice([0, 0, 0, 1, 2])
    delay = 0.001 if tries and one_in(random, 10) else 0.0
    cycles = random.choice([1, 2, 3]) if one_in(random, 10) else None
    task = replace(task, steps=tuple(steps), max_retries=tries, delay=delay, max_cycles=cycles)
    return replace(task, options=task_options(random, task)) if kinds.limits else task


def control_steps(random: Random, form: str, kinds: Kinds, item: bool) -> list[Step]:
    """None, one, or rarely two directives or failures."""
    seldom = form not in SEEING or kinds.alone is not None  # it would fail every time
    if not kinds.fails or random.random() > (0.1 if seldom else 0.4):
        return []
    step = control_step(random, form, kinds)
    if item:
        return [step] if step[0] in ("fail", "terminate") else []
    return [control_step(random, form, kinds), step] if one_in(random, 5) and form in SEEING else [step]


def task_options(random: Random, task: Task) -> Pairs:
    """Limits that don't strike, and where the task wants to run."""
    options: list[tuple[str, Any]] = []
    handler = random.choice(["direct", "thread", "process"]) if one_in(random, 3) else None
    if handler in (None, "process"):  # elsewhere nothing can be stopped
        if one_in(random, 4):
            options.append(("timeout", 120.0))
        if one_in(random, 6):
            options.append(("memory_limit", "8GB"))
    if one_in(random, 4):
        options.append(("max_concurrency", random.choice([1, 2])))
    if handler:
        options.append(("handler", handler))
    if one_in(random, 4):
        options.append(("priority", random.choice([1, 5])))
    if one_in(random, 6) and task.form != "imported":
        options.append(("resolve_keyword_args", False))
    return tuple(options)
