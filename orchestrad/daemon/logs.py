"""Logs: events with fields. The console says what a person needs; files hold one JSON object a line, one file per agent."""

import logging
import sys
from collections.abc import Callable, Collection
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["console", "json"]

LARGEST_FILE = 20 << 20  # bytes, then a new one is begun and two old ones are kept


class Redactor:
    """Takes secrets out of every line, by value: whatever field they came in."""

    def __init__(self) -> None:
        self._secrets: frozenset[str] = frozenset()

    def know(self, secrets: Collection[str]) -> None:
        """Takes these out from now on, beside those already known."""
        self._secrets |= {secret for secret in secrets if len(secret) >= 8}

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {key: self._clean(value) for key, value in event.items()}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in self._secrets:
                if secret in value:
                    value = value.replace(secret, "[secret]")
        return value


class _AgentFiles(logging.Handler):
    """One file per agent, for the lines that are about it."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self._files: dict[str, RotatingFileHandler] = {}

    def emit(self, record: logging.LogRecord) -> None:
        agent = record.msg.get("agent") if isinstance(record.msg, dict) else None
        if not isinstance(agent, str) or not agent.replace("-", "").isalnum():
            return
        if agent not in self._files:
            self._files[agent] = _file(self._directory / f"{agent}.log")
            self._files[agent].setFormatter(self.formatter)
        self._files[agent].emit(record)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        super().close()


def _file(path: Path) -> RotatingFileHandler:
    return RotatingFileHandler(path, maxBytes=LARGEST_FILE, backupCount=2, encoding="utf-8", delay=True)


def configure(
    *, directory: Path | None, console: TextIO | None, form: Format, level: str, redactor: Redactor
) -> Callable[[], None]:
    """Sends all events to the files of `directory` and to `console`; gives what closes them again."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redactor,
    ]
    as_json = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        foreign_pre_chain=shared,
    )
    handlers: list[logging.Handler] = []
    if directory is not None:
        for handler in (_file(directory / "orchestrad.log"), _AgentFiles(directory)):
            handler.setFormatter(as_json)
            handlers.append(handler)
    if console is not None:
        shown = logging.StreamHandler(console)
        colours = console.isatty() and console is sys.stderr
        renderer: Processor = (
            structlog.processors.JSONRenderer()
            if form == "json"
            else structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=24)
        )
        shown.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer], foreign_pre_chain=shared
            )
        )
        shown.setLevel(level.upper())
        handlers.append(shown)
    others = logging.getLogger()  # what libraries say is for the file: a person can do nothing about it
    others.handlers = handlers[:1] if directory is not None else [logging.NullHandler()]
    root = logging.getLogger("orchestrad")
    root.handlers = handlers
    root.setLevel(min(logging.INFO, logging.getLevelName(level.upper())))
    root.propagate = False
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )

    def close() -> None:
        for handler in handlers:
            handler.close()
        root.handlers = []
        others.handlers = []

    return close
