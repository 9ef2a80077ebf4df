"""An outage is logged in a line: the way through the code that met it tells nobody anything."""

import logging

from accounts.outages import DATABASE_AWAY


class OutageFilter(logging.Filter):
    """Takes the traceback off a record of a database that is away; its message says why."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], DATABASE_AWAY):
            record.exc_info = record.exc_text = None
        return True
