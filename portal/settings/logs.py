"""Logs: one line format for every process and library, as text or as JSON."""

import logging
import logging.config

import structlog

from portal.middleware.log_filters import one_line
from portal.settings import environment

#: Added to the lines of every logger, ours and those of libraries.
_FACTS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
]
_RENDERERS = {
    # If `rich` is installed, the default formatter prints every variable of every frame, including
    # tokens and answers.
    "text": structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    ),
    "json": structlog.processors.JSONRenderer(),
}

LOG_FORMAT = environment.choice("LOG_FORMAT", ("text", "json"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "lines": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _FACTS,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                one_line,
                _RENDERERS[LOG_FORMAT],
            ],
        }
    },
    "filters": {"outages": {"()": "portal.middleware.log_filters.OutageFilter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "lines", "filters": ["outages"]}
    },
    "root": {"handlers": ["stderr"], "level": environment.text("LOG_LEVEL", "WARNING")},
    "loggers": {
        "accounts": {"level": environment.text("LOG_LEVEL", "INFO")},
        "weights": {"level": environment.text("LOG_LEVEL", "INFO")},
        "django_structlog": {"level": "ERROR"},
        # It logs complete paths, and a link's path is a secret; the request log has every failure.
        "django.request": {"level": "CRITICAL"},
        # gunicorn's own handler uses another format.
        "gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
    },
}
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_FACTS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
logging.captureWarnings(True)
