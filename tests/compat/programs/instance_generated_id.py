"""t(**bound) makes an instance whose id is the function's name and eight hexadecimal digits."""

import re

from graflow.core.decorators import task


@task("named")
def load(path):
    return path


one, two = load(path="a"), load(path="b")
print(bool(re.fullmatch(r"load_[0-9a-f]{8}", one.task_id)), one.task_id != two.task_id)
print(one.run(), two.run())
