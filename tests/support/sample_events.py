"""Audit events that only tests record."""

from accounts.audit.event_tags import EventTag


class SampleEvent(EventTag):
    TEST = "test.event", "{by} tested {it}"
    DONE = "thing.done", "{by} did {it}"
    PRAISED = "account.praised", "{by} praised {it}"
