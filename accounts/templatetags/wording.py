"""Filters and tags that format times, sizes, sentences, browsers and allauth's labels."""

import re
from collections.abc import Collection
from datetime import datetime

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.forms import BoundField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.audit.event_tags import EventTag
from accounts.web import user_agents
from accounts.web.byte_sizes import format_size
from accounts.web.sanitize import multiline

register = template.Library()
register.filter("size", format_size)


@register.filter
def lookup(mapping: dict[str, str] | None, key: str) -> str:
    """Return the value of `key` in `mapping`; empty if either is missing."""
    return mapping.get(key, "") if mapping else ""


@register.simple_tag
def when(moment: datetime | None, *, never: str = "never") -> SafeString | str:
    """Format a time in UTC with its age: `23 Nov 2026, 23:01 UTC (3 minutes ago)`."""
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
    """Format a date in UTC as `23 November 2026`; empty for None."""
    if moment is None:
        return ""
    utc = moment.astimezone(timezone.get_fixed_timezone(0))
    return f"{utc.day} {utc:%B %Y}"


@register.filter
def sentence(text: str) -> str:
    """Format free text as a sentence, with a capital first letter and a full stop."""
    text = multiline(text).strip()
    if not text:
        return ""
    stop = "" if text.endswith((".", "!", "?", "…", ".”", ".)")) else "."
    return text[0].upper() + text[1:] + stop


@register.filter
def event_label(action: str) -> str:
    """Return the action of an audit event in words: `Token: first used`."""
    tag = EventTag.named(action)
    return tag.label if tag else action


@register.filter
def browser(user_agent: str) -> str:
    """Return the browser and system of a User-Agent header: `Firefox on Linux`."""
    return user_agents.browser_name(user_agent)


@register.filter
def house_style(text: str) -> str:
    """Convert allauth's title case, "Email Addresses", to sentence case, "E-mail addresses".

    Its page titles say "Signup", but its headings "Sign Up".
    """
    text = text.strip().replace("Signup", "Sign up")
    text = text[:1] + re.sub(r"\b[A-Z](?=[a-z]+\b)", lambda match: match[0].lower(), text[1:])
    return re.sub(r"\b([Ee])mail", r"\1-mail", text)


@register.filter
def without_placeholder(field: BoundField) -> BoundField:
    """Remove the placeholder of an allauth field, which repeats its label.

    The label of the field `login` becomes its placeholder, which names the accepted values.
    """
    placeholder = str(field.field.widget.attrs.pop("placeholder", ""))
    field.label = house_style(placeholder if field.name == "login" else str(field.label))
    return field


#: The badge of an application's state; others have "absent".
_STATUS_KINDS = {
    "approved": "verified",
    "rejected": "refused",
    "returned": "reviewed",
    "submitted": "waiting",
    "in_review": "waiting",
}


@register.filter
def status_kind(status: str) -> str:
    """Return the kind of badge for an application's state."""
    return _STATUS_KINDS.get(status, "absent")


@register.filter
def notice_kind(level: str) -> str:
    """Return the kind of notice for a Django message of this level."""
    return {"success": "good", "warning": "wait", "error": "bad"}.get(level, "info")


@register.filter
def button_class(tags: Collection[str]) -> str:
    """Return our CSS class for an allauth button with these tags; empty for a primary one."""
    if "danger" in tags:
        return "button--danger"
    return "button--quiet" if {"secondary", "outline", "link", "cancel"} & {*tags} else ""
