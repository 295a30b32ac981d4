"""What generated bodies do: the interpreter of their scripts, their values, and the functions around it.

Owns all code that crosses to workers. Nearly everything is nested in a function, so that it crosses by value as a
user's script does; `bodies.py` holds the importable functions. Must not know the model or how outcomes are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Step = tuple[Any, ...]  # ("print", text) | ("set", key, value) | ... see `perform`
Plain = tuple[Any, ...]  # a `program.Task` as a tuple
Fragment = tuple[Any, ...]  # ("task", Plain) | ("chain", parts) | ("group", label, members, policy)

#: Steps that act on some runs of their task only, so the task has to count them.
CONDITIONAL = ("next", "share", "iterate", "terminate", "cancel", "fail")
#: Kinds of output that a script has; "print" comes first.
SAYS = ("print", "log", "warn", "write", "shell")

#: The classes of a user's script: in workers there is no module to import them from.
CLASSES = """
import dataclasses
import enum


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Slotted:
    __slots__ = ("n",)

    def __init__(self, n):
        self.n = n

    def __eq__(self, other):
        return type(other) is Slotted and other.n == self.n

    def __hash__(self):
        return hash(self.n)

    def __repr__(self):
        return f"Slotted({self.n})"


class Color(enum.Enum):
    RED = 1
    BLUE = 2
"""


def signature(takes_context: bool, parameters: tuple[Any, ...], before: str = "", spell: Any = None) -> str:
    """The parameter list of a function as text; `spell` gives the text of the default with that number."""
    spell = spell or (lambda number, default: f"d{number}")
    parts = ["ctx"] * takes_context + [before] * bool(before)
    star = False
    for number, (name, required, default, keyword_only, annotation) in enumerate(parameters):
        if keyword_only and not star:
            parts.append("*")
            star = True
        hint = f": {annotation}" if annotation else ""
        equals = "" if required else f"{' = ' if hint else '='}{spell(number, default)}"
        parts.append(f"{name}{hint}{equals}")
    return ", ".join(parts)


def language() -> tuple[Callable[..., Any], ...]:
    """`make_player`, `create`, `as_policy`, `value_of`, `perform`: nested, so that they cross to a worker by value."""
    script: dict[str, Any] = {"__name__": "__main__"}
    exec(CLASSES, script)

    def value_of(spec: Any) -> Any:
        """The value that a generated one stands for: tuples are lists, or made by what stands in front."""
        if not isinstance(spec, tuple):
            return spec
        kind, rest = (spec[0], spec[1:]) if spec else ("", ())
        if kind == "point":
            return script["Point"](*rest)
        if kind == "slotted":
            return script["Slotted"](*rest)
        if kind == "color":
            return script["Color"][rest[0]]
        if kind == "dict":
            return {key: value_of(value) for key, value in rest[0]}
        return [value_of(item) for item in spec]

    def translate(step: Step) -> Step:
        """The step with its value made."""
        return (step[0], step[1], value_of(step[2]), *step[3:]) if step[0] in ("set", "same") else step

    def copied(value: Any) -> Any:
        return value.copy() if isinstance(value, (list, dict)) else value  # two names for one list are not one meaning

    def note_begun(name: str, folder: str) -> None:
        """Note in a file that a body has begun; kill the run if it was to be killed there (see `killed`)."""
        import os
        import signal

        with open(f"{folder}/bodies", "a") as file:
            file.write(f"{name}\n")
        if not os.path.exists(f"{folder}/kill"):
            return
        with open(f"{folder}/bodies") as begun, open(f"{folder}/kill") as kill:
            process, last = kill.read().split()
            if len(begun.readlines()) == int(last):
                os.kill(int(process), signal.SIGKILL)

    def perform(
        name: str,
        steps: tuple[Step, ...],
        returns: Any,
        counts: bool,
        ctx: Any,
        say: Any,
        spawn: Any,
        data: Any,
        arguments: dict[str, Any],
    ) -> Any:
        """Do what a script says; the engine and the model differ only in what they pass."""
        channel = None if ctx is None else ctx.get_channel()
        arguments = {key: copied(value) for key, value in arguments.items()}
        n = 0
        if counts:
            n = channel.get("n." + name, 0)
            channel.set("n." + name, n + 1)
        if data is not None:
            say(f"{name} got {data}")
        if arguments:
            say(f"{name}: {' '.join(f'{key}={value!r}' for key, value in arguments.items())}")
        for op, *args in steps:
            if op == "print":
                say(f"{name}: {args[0]}")
            elif op == "say":
                say(f"{name}: {args[1]}", args[0])
            elif op == "set":
                channel.set(args[0], copied(args[1]), *args[2:])
            elif op == "same":
                value = channel.get(args[0])
                say(f"{name}: {args[0]} {value == args[1]} {type(value) is type(args[1])}")
            elif op == "count":
                channel.set(args[0], channel.get(args[0], 0) + 1)
            elif op in ("append", "prepend"):
                getattr(channel, op)(*args)
            elif op == "length":
                say(f"{name}: {args[0]} has {channel.append(args[0], args[1])}")
            elif op == "delete":
                say(f"{name}: deleted {args[0]} {channel.delete(args[0])}")
            elif op == "clear":
                channel.clear()
            elif op == "add":
                channel.atomic_add(args[0], args[1])
            elif op == "locked":
                with channel.lock(args[0]):
                    channel.set(args[0], channel.get(args[0], 0) + args[1])
            elif op == "read":
                say(f"{name}: {args[0]}={channel.get(args[0])!r} {channel.exists(args[0])}")
            elif op == "keys":
                keys = channel.keys()
                say(f"{name}: keys {[key for key in keys if '.' not in key and '+' not in key]}")
            elif op == "result":
                say(f"{name}: {args[0]} gave {ctx.get_result(args[0])!r}")
            elif op == "counters":
                say(f"{name}: cycle {ctx.cycle_count} retry {ctx.retry_count}")
            elif op == "note":
                note_begun(name, args[0])
            elif not args[-2] <= n < args[-1]:
                pass
            elif op in ("next", "share"):  # what is made has names of this run of the task, or of anyone's
                spawn(ctx, args[0], args[1], f"{name}.{n}." if op == "next" else "s.")
            elif op == "iterate":
                ctx.next_iteration(args[0])
            elif op == "terminate":
                ctx.terminate_workflow(args[0])
            elif op == "cancel":
                ctx.cancel_workflow(args[0])
            elif op == "fail":
                raise ValueError(args[0])
            else:
                raise AssertionError(f"no such step: {op}")
        if type(returns) is tuple:
            kind, *key = returns
            returns = channel.get(key[0]) if kind == "read" else arguments[key[0]]
        return copied(returns)

    def contents(task: Plain) -> tuple[Any, ...]:
        """What `perform` wants to know of a task, with all values made."""
        name, steps, returns, _tries, _delay, _cycles, form = task[:7]
        counts = form == "context" or (any(step[0] in CONDITIONAL for step in steps) and form in ("both", "shared"))
        made = returns if type(returns) is tuple and returns[0] in ("read", "argument") else value_of(returns)
        return name, tuple(translate(step) for step in steps), made, counts

    def make_player(task: Plain) -> Callable[..., Any]:
        """The script as `play(ctx, say, spawn, data, arguments)`."""
        known = contents(task)

        def play(ctx: Any, say: Any, spawn: Any, data: Any = None, arguments: Any = None) -> Any:
            return perform(*known, ctx, say, spawn, data, arguments or {})

        return play

    def speak(text: str, kind: str = "print") -> None:
        """Say something as a body can."""
        import logging
        import os
        import subprocess
        import sys
        import warnings

        if kind == "print":
            print(text)
        elif kind == "log":
            logging.getLogger("meaning").warning(text)
        elif kind == "warn":
            warnings.warn(text, FutureWarning, stacklevel=2)
        elif kind == "write":
            sys.stdout.flush()
            os.write(1, f"{text}\n".encode())
        else:
            sys.stdout.flush()
            subprocess.run(["echo", text], check=True)

    def pause(pace: int, *where: Any) -> None:
        """Wait for a moment whose length the pace decides."""
        import time
        import zlib

        time.sleep((0.0, 0.0, 0.0, 0.0005, 0.002, 0.005)[zlib.crc32(repr((pace, where)).encode()) % 6])

    def enqueue(ctx: Any, target: str, goto: bool, _prefix: str) -> None:
        """`next_task` of a node that has a name already."""
        ctx.next_task(ctx.graph.get_node(target), goto=goto)

    def spawner(pace: int) -> Any:
        def spawn(ctx: Any, target: Any, goto: bool, prefix: str) -> None:
            known = isinstance(target, str)
            ctx.next_task(ctx.graph.get_node(target) if known else attach(target, prefix, pace), goto=goto)

        return spawn

    def options_of(task: Plain) -> dict[str, Any]:
        """The keyword arguments of `@task`."""
        from graflow_fast.core.retry import RetryPolicy

        name, _steps, _returns, max_retries, delay, max_cycles = task[:6]
        options: dict[str, Any] = {"id": name, **dict(task[9])}
        if max_retries and delay:
            options["retry_policy"] = RetryPolicy(max_retries=max_retries, initial_interval=delay, backoff_factor=1.0)
        elif max_retries:
            options["max_retries"] = max_retries
        if max_cycles is not None:
            options["max_cycles"] = max_cycles
        return options

    def make_body(task: Plain, pace: int) -> Callable[..., Any]:
        """The function of a task that has one of its own."""
        name, steps, form, parameters = task[0], task[1], task[6], task[7]
        play = make_player(task)
        targets = [step[1] for step in steps if step[0] in ("next", "share")]
        attaches = spawner(pace) if any(isinstance(target, tuple) for target in targets) else enqueue
        attaches = attaches if targets else None  # what is not needed does not cross, either
        say: Any = speak if any(step[0] == "say" for step in steps) else print

        def paced(ctx: Any, data: Any = None) -> Any:
            where = name, ctx.cycle_count, ctx.retry_count
            pause(pace, "begin", where)
            try:
                return play(ctx, say, attaches, data)
            finally:
                pause(pace, "end", where)

        def body(ctx: Any, data: Any = None) -> Any:
            return play(ctx, say, attaches, data)

        if form == "context":
            return paced if pace else body
        inner = "play(ctx, say, spawn, None, {})" if form == "both" else "play(None, say, None, None, {})"
        values = ", ".join(f"{each[0]!r}: {each[0]}" for each in parameters)
        call = inner.replace("{}", f"{{{values}}}")
        heading = signature(form == "both", parameters)
        defaults = [value_of(each[2]) for each in parameters]
        names = ", ".join(["play", "say", "spawn", *(f"d{number}" for number in range(len(parameters)))])
        if form == "lambda":
            heading = signature(False, tuple((*each[:4], None) for each in parameters))
            made = f"    return lambda {heading}: {call}\n"
        else:
            made = f"    def body({heading}):\n        return {call}\n    return body\n"
        namespace: dict[str, Any] = {"__name__": "__main__"}
        exec(f"def factory({names}):\n{made}", namespace)
        made_body: Callable[..., Any] = namespace["factory"](play, say, attaches, *defaults)
        return made_body

    def share(task: Plain, shared: dict[Any, Any]) -> Any:
        """An instance of a definition that other tasks of the same signature and options have, too."""
        from graflow_fast import task as define

        parameters, imported, takes_context = task[7], task[6] == "imported", task[6] == "shared"
        options = options_of(task)
        options.pop("id")
        key = parameters, imported, task[3:6], task[9]
        if key not in shared:
            if imported:
                from . import bodies

                function = bodies.FUNCTIONS[tuple(each[0] for each in parameters)]
            else:
                values = ", ".join(f"{each[0]!r}: {each[0]}" for each in parameters)
                heading = signature(takes_context, parameters, "me, steps, returns, counts")
                names = "".join(f", d{number}" for number in range(len(parameters)))
                namespace = {"__name__": "__main__", "perform": perform, "speak": speak, "enqueue": enqueue}
                text = f"def factory(_{names}):\n    def shared({heading}):\n        return perform("
                text += f"me, steps, returns, counts, ctx, speak, enqueue, None, {{{values}}})\n    return shared\n"
                exec(text, namespace)
                function = namespace["factory"](None, *[value_of(each[2]) for each in parameters])
            shared[key] = define(f"definition{len(shared)}", inject_context=takes_context, **options)(function)
        name, steps, returns, counts = contents(task)
        bound = {key: value_of(value) for key, value in task[8]}
        return shared[key](task_id=name, me=name, steps=steps, returns=returns, counts=counts, **bound)

    def create(task: Plain, pace: int = 0, shared: dict[Any, Any] | None = None) -> Any:
        """A graflow_fast task of a plain task; bodies begin and end sooner or later as the pace says."""
        from graflow_fast import task as define

        form, bound = task[6], task[8]
        if form in ("shared", "imported"):
            return share(task, {} if shared is None else shared)
        options = options_of(task)
        if not bound:
            return define(inject_context=form in ("context", "both"), **options)(make_body(task, pace))
        name = options.pop("id")
        made = define(name + "_", inject_context=form in ("context", "both"), **options)(make_body(task, pace))
        return made(task_id=name, **{key: value_of(value) for key, value in bound})

    def attach(part: Fragment, prefix: str, pace: int) -> Any:
        """The tasks of a fragment, built inside a running body."""
        from graflow_fast import chain, parallel

        if part[0] == "task":
            return create((prefix + part[1][0], *part[1][1:]), pace)
        if part[0] == "chain":
            return chain(*[attach(inner, prefix, pace) for inner in part[1]])
        _, label, members, policy = part
        group = parallel(*[attach(inner, prefix, pace) for inner in members]).set_group_name(prefix + label)
        return group.with_execution(policy=as_policy(policy, prefix))

    def as_policy(policy: Any, prefix: str = "") -> Any:
        """A policy as the engine wants it."""
        from graflow_fast.core.handlers.group_policy import AtLeastNGroupPolicy, CriticalGroupPolicy

        if isinstance(policy, str):
            return policy
        if policy[0] == "at_least":
            return AtLeastNGroupPolicy(policy[1])
        return CriticalGroupPolicy([prefix + member for member in policy[1]])

    return make_player, create, as_policy, value_of, perform, speak


make_player, create, as_policy, value_of, perform, speak = language()
