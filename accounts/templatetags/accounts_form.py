"""Look-ups that a form page needs."""

from django import template

register = template.Library()


@register.filter
def at(mapping: dict[str, str] | None, key: str) -> str:
    """What `mapping` holds for `key`; empty for nothing."""
    return mapping.get(key, "") if mapping else ""
