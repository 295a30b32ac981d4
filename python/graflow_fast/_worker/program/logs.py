"""The program's loggers, as they stand in for here: its levels, and a keeper wherever it has handlers.

Owns what a body, or a module that is imported here, may do to them: what a body sets holds until its task has ended;
what a module sets when it is imported doesn't, since the program may have set something else after importing it.
"""

from __future__ import annotations

from typing import Any

from graflow_fast._body import log_records
from graflow_fast._wire import imports
from graflow_fast._worker import output, surroundings

_FRESH: dict[str, Any] = {"loggers": {"": (30, False, True, -1)}, "disabled": 0, "last": 30, "names": {}}

_logging: Any = None
_state: dict[str, Any] = _FRESH
#: The loggers that were told of before.
_told: set[str] = set()
_setting = False


def install(logging: Any) -> None:
    """Put keepers in the place of handlers, and notice what bodies change of the loggers."""
    global _logging
    _logging = logging
    for name in ("setLevel", "addHandler", "removeHandler"):
        _notice(logging.Logger, name)
    _notice_calls(logging, "disable")
    logging.raiseExceptions = False
    log_records.install(logging)
    put(_state)


def put(state: dict[str, Any] | None) -> None:
    """Set levels, handlers and the like as the program has them; as soon as `logging` is here, if it is not."""
    global _setting, _state
    _state = _FRESH if state is None else state
    logging = _logging
    if logging is None:
        return
    _setting = True
    try:
        loggers = _state["loggers"]
        for name in _told - loggers.keys():
            _put_logger(logging, logging.getLogger(name), (0, False, True, -1))
        for name, described in loggers.items():
            _put_logger(logging, logging.getLogger(name) if name else logging.root, described)
        _told.update(loggers)
        for level, name in _state["names"].items():
            logging.addLevelName(level, name)
        logging.root.manager.disable = _state["disabled"]
        last = _state["last"]
        logging.lastResort = None if last is None else output.log_keeper(logging, last)
        logging.root.manager._clear_cache()
    finally:
        _setting = False


def _put_logger(logging: Any, logger: Any, described: tuple[int, bool, bool, int]) -> None:
    logger.level, logger.disabled, logger.propagate, least = described
    logger.handlers[:] = [] if least < 0 else [output.log_keeper(logging, least)]


def set_again() -> None:
    """Set all of it again after a body."""
    put(_state)


def _notice(kind: Any, name: str) -> None:
    """Notice a body that changes a logger; a module that does when it is imported has done it in the program, too."""
    function = getattr(kind, name)

    def noticing(logger: Any, *arguments: Any, **options: Any) -> Any:
        if not _setting:
            if (logger.name in _told or logger is _logging.root) and imports.is_importing():
                return None
            surroundings.note()
        return function(logger, *arguments, **options)

    setattr(kind, name, surroundings.named_as(function, noticing))


def _notice_calls(module: Any, name: str) -> None:
    function = getattr(module, name)

    def noticing(*arguments: Any, **options: Any) -> Any:
        surroundings.note()
        return function(*arguments, **options)

    setattr(module, name, surroundings.named_as(function, noticing))
