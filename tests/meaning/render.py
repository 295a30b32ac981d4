"""A workflow program as readable Python: what a shrunk failure prints.

Owns only spelling. The text can be pasted into a file and run; `test_meaning.py` holds it to that.
"""

from __future__ import annotations

from typing import Any

from .program import Fragment, Group, Map, Policy, Program, Step, Task
from .scripts import CONDITIONAL

Plain = tuple[Any, ...]


def render(program: Program) -> str:
    """The whole program, imports included: written out if it is plain, else as what it was made from."""
    if not is_plain(program):
        imports = "from meaning.program import Group, Map, Program, Task\nfrom meaning.running import run\n\n"
        return f"# With tests in the search path.\n{imports}print(run({program!r}, 'inline'))\n"
    paced = [f"# Found with pace={program.pace}: bodies began and ended a little later."] if program.pace else []
    lines = [
        *paced,
        "import copy",
        "",
        "from graflow_fast import chain, parallel, task, workflow",
        "from graflow_fast.core.handlers.group_policy import AtLeastNGroupPolicy, CriticalGroupPolicy",
        "from graflow_fast.core.retry import RetryPolicy",
        "from graflow_fast.core.task import ParallelGroup",
        "",
        "",
        "def begin(ctx, me, data):",
        "    channel = ctx.get_channel()",
        '    n = channel.get("n." + me, 0)',
        '    channel.set("n." + me, n + 1)',
        "    if data is not None:",
        '        print(f"{me} got {data}")',
        "    return channel, n",
        "",
        "",
        'with workflow("program") as wf:',
    ]
    groups = {node.id for node in program.nodes if isinstance(node, Group)}
    for node in program.nodes:
        if isinstance(node, Task):
            lines += indent(render_task(node.plain()))
        else:
            flat = len(node.members) > 1 and not groups.intersection(node.members)
            members = ", ".join(map(variable, node.members))
            made = f"parallel({members})" if flat else f"ParallelGroup([{members}])"
            lines += indent([f"{variable(node.id)} = {made}.set_group_name({node.id!r}){render_policy(node.policy)}"])
    lines += indent([f"{variable(source)} >> {variable(target)}" for source, target in program.edges])
    limit = "" if program.max_steps is None else f", max_steps={program.max_steps}"
    lines += indent([f"print(wf.execute(start_node={program.start!r}{limit}, ret_context=True))"])
    return "\n".join(lines) + "\n"


def is_plain(program: Program) -> bool:
    """Whether its text can be written out: no maps, no kinds of functions, values or options but the usual ones."""
    usual = {"print", "set", "count", "append", "prepend", "add", "delete", "read", "result", "counters", "keys"}
    usual |= {*CONDITIONAL}
    tasks = list(program.tasks())
    steps = [step for task in tasks for step in task.steps]
    if program.options or any(isinstance(node, Map) for node in program.nodes):
        return False
    if any(task.form != "context" or task.options for task in tasks):
        return False
    made = [task.returns for task in tasks if isinstance(task.returns, tuple) and task.returns[:1] != ("read",)]
    made += [step[2] for step in steps if step[0] == "set" and isinstance(step[2], tuple)]
    if any(isinstance(part, (str, tuple)) for value in made for part in value):
        return False
    return all(
        (step[0] in usual and len(step) < 4) or step[0] in ("next", "share", "iterate", "fail") for step in steps
    )


def render_task(task: Plain, prefix: str = "") -> list[str]:
    """One definition; `prefix` is an expression in front of the id for tasks made at run time."""
    name, steps, returns, max_retries, delay, max_cycles = task[:6]
    whole = f"{prefix} + {name!r}" if prefix else repr(name)
    options = [f"id={whole}", "inject_context=True"]
    if max_retries and delay:
        policy = f"RetryPolicy(max_retries={max_retries}, initial_interval={delay}, backoff_factor=1.0)"
        options.append(f"retry_policy={policy}")
    elif max_retries:
        options.append(f"max_retries={max_retries}")
    if max_cycles is not None:
        options.append(f"max_cycles={max_cycles}")
    body = [f"me = {whole}", "channel, n = begin(ctx, me, data)"]
    for step in steps:
        body += render_step(step, variable(name))
    if isinstance(returns, tuple) and returns[:1] != ("read",):
        body.append(f"return {list(returns)!r}")
    elif isinstance(returns, tuple):
        body.append(f"return copy.copy(channel.get({returns[1]!r}))")
    elif returns is not None:
        body.append(f"return {returns!r}")
    return [f"@task({', '.join(options)})", f"def {variable(name)}(ctx, data=None):", *indent(body)]


def render_step(step: Step, owner: str) -> list[str]:
    """The lines of one step of a script."""
    op, *args = step
    simple = {
        "set": "channel.set({0!r}, {1!r})",
        "count": "channel.set({0!r}, channel.get({0!r}, 0) + 1)",
        "append": "channel.append({0!r}, {1!r})",
        "prepend": "channel.prepend({0!r}, {1!r})",
        "add": "channel.atomic_add({0!r}, {1!r})",
        "delete": 'print(f"{{me}}: deleted {0} {{channel.delete({0!r})}}")',
        "read": 'print(f"{{me}}: {0}={{channel.get({0!r})!r}} {{channel.exists({0!r})}}")',
        "result": 'print(f"{{me}}: {0} gave {{ctx.get_result({0!r})!r}}")',
        "print": 'print(f"{{me}}: {0}")',
        "counters": 'print(f"{{me}}: cycle {{ctx.cycle_count}} retry {{ctx.retry_count}}")',
        "keys": "print(f\"{{me}}: keys {{[k for k in channel.keys() if '.' not in k and '+' not in k]}}\")",
    }
    if op in simple:
        values = [list(arg) if isinstance(arg, tuple) else arg for arg in args]
        return [simple[op].format(*values)]
    *args, first, last = args
    condition = f"n < {last}" if first == 0 else f"n >= {first}" if last >= 99 else f"{first} <= n < {last}"
    if op in ("next", "share"):
        prefix, names = (f"of_{owner}", 'f"{me}.{n}."') if op == "next" else ("shared", '"s."')
        return [f"if {condition}:", *indent(render_next(args[0], args[1], prefix, names))]
    act = {
        "iterate": "ctx.next_iteration({0!r})",
        "terminate": "ctx.terminate_workflow({0!r})",
        "cancel": "ctx.cancel_workflow({0!r})",
        "fail": "raise ValueError({0!r})",
    }[op].format(*args)
    return [f"if {condition}:", f"    {act}"]


def render_next(target: Any, goto: bool, prefix: str, names: str) -> list[str]:
    """A `next_task` call with the tasks of its fragment in front of it; `prefix` holds what their ids begin with."""
    ending = ", goto=True)" if goto else ")"
    if isinstance(target, str):
        return [f"ctx.next_task(ctx.graph.get_node({target!r}){ending}"]
    lines = [f"{prefix} = {names}"]
    expression = render_fragment(target, lines, prefix)
    return [*lines, f"ctx.next_task({expression}{ending}"]


def render_fragment(part: Fragment, lines: list[str], prefix: str) -> str:
    """The expression of a fragment; definitions it needs are added to `lines`."""
    if part[0] == "task":
        lines += render_task(part[1], prefix)
        return variable(part[1][0])
    if part[0] == "chain":
        return f"chain({', '.join(render_fragment(inner, lines, prefix) for inner in part[1])})"
    _, label, members, policy = part
    made = f"parallel({', '.join(render_fragment(inner, lines, prefix) for inner in members)})"
    return f"{made}.set_group_name({prefix} + {label!r}){render_policy(policy, f'{prefix} + ')}"


def render_policy(policy: Policy, prefix: str = "") -> str:
    """The `with_execution` call of a group, empty for the default policy."""
    if policy == "strict":
        return ""
    if isinstance(policy, str):
        made = repr(policy)
    elif policy[0] == "at_least":
        made = f"AtLeastNGroupPolicy({policy[1]})"
    else:
        made = f"CriticalGroupPolicy([{', '.join(prefix + repr(member) for member in policy[1])}])"
    return f".with_execution(policy={made})"


def variable(name: str) -> str:
    """A Python name for a task id."""
    return name.replace(".", "_")


def indent(lines: list[str]) -> list[str]:
    """The lines, four spaces to the right."""
    return ["    " + line for line in lines]
