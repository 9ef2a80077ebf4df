"""The staff's doors to people, terms, applications and the trail; one file a subject."""

from accounts.admin import application, people, reasons, rights, terms, trail

__all__ = ["application", "people", "reasons", "rights", "terms", "trail"]
