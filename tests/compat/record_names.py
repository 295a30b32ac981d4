"""Write down the public names of graflow 0.2.0: python tests/compat/record_names.py PYTHON.

PYTHON is an interpreter with graflow 0.2.0. Facts only: which modules there are, what they define, and what objects of
their classes have, be it from a class, one of its bases or an assignment to ``self``.
"""

import json
import subprocess
import sys
from pathlib import Path

TARGET = Path(__file__).parent / "public_names.json"

# Runs where graflow is; what can't be imported there is taken from its source.
LOOK = r'''
import ast, json, pathlib, sys
from importlib.util import find_spec

root = pathlib.Path(find_spec("graflow").origin).parent
trees = {}
for path in sorted(root.rglob("*.py")):
    parts = path.relative_to(root).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    if not any(part.startswith("_") for part in parts):
        trees[".".join(parts)] = ast.parse(path.read_text(encoding="utf-8"))

def public(name):
    return not name.startswith("_")

def parameters(node):
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]

def members(node):
    """Return the public members of a class: {name: its parameters, None for what is no method}."""
    found = {}
    for item in node.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            plain = not any(isinstance(d, ast.Name) and d.id == "property" or isinstance(d, ast.Attribute)
                            for d in item.decorator_list)
            if public(item.name):
                found[item.name] = parameters(item) if plain else None
            elif item.name == "__init__":
                found["__init__"] = parameters(item)
            for inner in ast.walk(item):
                targets = inner.targets if isinstance(inner, ast.Assign) else [getattr(inner, "target", None)]
                for target in targets if isinstance(inner, (ast.Assign, ast.AnnAssign)) else ():
                    if isinstance(target, ast.Attribute) and getattr(target.value, "id", "") == "self":
                        if public(target.attr):
                            found.setdefault(target.attr, None)
        elif isinstance(item, ast.AnnAssign) and public(item.target.id):
            found[item.target.id] = None
        elif isinstance(item, ast.Assign):
            for target in item.targets:
                if isinstance(target, ast.Name) and public(target.id):
                    found[target.id] = None
    return found

modules, classes = {}, {}
def statements(body):
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try)):
            yield from statements(node.body)
for module, tree in trees.items():
    defined = {}
    for node in statements(tree.body):
        if isinstance(node, ast.ClassDef) and public(node.name):
            defined[node.name] = {
                "bases": [ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases],
                "members": members(node)}
            classes.setdefault(node.name, defined[node.name])
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and public(node.name):
            defined.setdefault(node.name, parameters(node))
    if defined:
        modules[module] = defined

def inherited(record):
    found = {}
    for base in record["bases"]:
        if base in classes and classes[base] is not record:
            found.update(inherited(classes[base]))
    found.update(record["members"])
    return found

for defined in modules.values():
    for name, record in defined.items():
        if isinstance(record, dict):
            defined[name] = {"members": dict(sorted(inherited(record).items()))}
json.dump(modules, sys.stdout)
'''


def main() -> int:
    """Ask that interpreter and write the file."""
    done = subprocess.run([sys.argv[1], "-c", LOOK], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    lines = [f" {json.dumps(module)}: {json.dumps(found[module], sort_keys=True)}" for module in sorted(found)]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(found)} modules, {sum(len(each) for each in found.values())} names")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
