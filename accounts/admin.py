"""The staff's doors to people, terms, applications and the trail; one file a subject."""

from accounts.audit import admin as trail
from accounts.grants import admin as rights
from accounts.review import desk, reasons_admin
from accounts.tiers import admin as terms
from accounts.users import admin

__all__ = ["application", "people", "reasons", "rights", "terms", "trail"]
