"""The codes of an authenticator app (RFC 6238)."""

from collections.abc import Iterator
from contextlib import contextmanager

import time_machine
from allauth.mfa.totp.internal import auth
from django.utils import timezone


@contextmanager
def current_code(secret: str) -> Iterator[str]:
    """The current six digits; stops the clock, so that they do not expire before use."""
    with time_machine.travel(timezone.now(), tick=False):
        counter = next(auth.yield_hotp_counters_from_time())
        yield auth.format_hotp_value(auth.hotp_value(secret, counter))
