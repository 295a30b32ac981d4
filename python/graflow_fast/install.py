"""Programs of graflow, unchanged: importing this module makes ``import graflow`` mean graflow_fast.

``import graflow_fast.install`` is a program's first line, ``pytest -p graflow_fast.install`` does it for tests, and
``python -m graflow_fast program.py`` for a program that can't be touched. Whether graflow is installed doesn't matter,
and worker processes know it too. Owns nothing but that: what the names mean is `_alias`.
"""

from graflow_fast._alias import install, is_installed, uninstall

__all__ = ["install", "is_installed", "uninstall"]

install()
