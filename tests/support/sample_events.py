"""Audit events that only tests record."""

from accounts.audit.event_tags import EventTag


class SampleEvent(EventTag):
    TEST = "test.event"
    DONE = "thing.done"
    PRAISED = "account.praised"
