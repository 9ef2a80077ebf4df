"""Times and browsers as pages show them."""

from datetime import datetime

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import browsers

register = template.Library()


@register.simple_tag
def when(moment: datetime | None, *, never: str = "never") -> SafeString | str:
    """A moment with its zone and its age: `23 Nov 2026, 23:01 UTC (3 minutes ago)`."""
    if moment is None:
        return never
    utc = moment.astimezone(timezone.get_fixed_timezone(0))
    return format_html(
        '<time datetime="{}">{} UTC <span class="soft">({})</span></time>',
        utc.isoformat(timespec="seconds"),
        f"{utc.day} {utc:%b %Y, %H:%M}",
        naturaltime(moment),
    )


@register.filter
def day(moment: datetime | None) -> str:
    """A day in words: `23 November 2026`; empty for none."""
    if moment is None:
        return ""
    utc = moment.astimezone(timezone.get_fixed_timezone(0))
    return f"{utc.day} {utc:%B %Y}"


@register.filter
def browser(user_agent: str) -> str:
    """A session's browser in words: `Firefox on Linux`."""
    return browsers.name(user_agent)
