"""The program's loggers as workers are told: levels, what is switched off, and where there are handlers.

The handlers stay here: a worker has a stand-in wherever there is one, whose records come back and are shown here. So
a record that nobody wants costs a worker what it costs here.
"""

from __future__ import annotations

import sys
from typing import Any

_WARNING = 30
_LEVEL_NAMES = {50: "CRITICAL", 40: "ERROR", 30: "WARNING", 20: "INFO", 10: "DEBUG", 0: "NOTSET"}
#: The level of a stand-in for handlers that do nothing.
NEVER = 1 << 30


def log_state() -> dict[str, Any]:
    """Return what is not as in a fresh interpreter."""
    logging = sys.modules.get("logging")
    if logging is None:
        return {}
    root = logging.root
    loggers = {"": _described(root, logging)}
    for name, logger in list(root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and (
            logger.level or logger.handlers or logger.disabled or not logger.propagate
        ):
            loggers[name] = _described(logger, logging)
    last = logging.lastResort
    found = {
        "loggers": loggers,
        "disabled": root.manager.disable,
        "last": None if last is None else last.level,
        "names": {} if logging._levelToName == _LEVEL_NAMES else dict(logging._levelToName),
    }
    return {} if found == _FRESH else found


def _described(logger: Any, logging: Any) -> tuple[int, bool, bool, int]:
    """Return level, whether it is switched off, whether others hear of its records, and from which level it has
    handlers (-1 for none).
    """
    levels = [NEVER if isinstance(handler, logging.NullHandler) else handler.level for handler in logger.handlers]
    return logger.level, bool(logger.disabled), bool(logger.propagate), min(levels, default=-1)


_FRESH = {"loggers": {"": (_WARNING, False, True, -1)}, "disabled": 0, "last": _WARNING, "names": {}}
