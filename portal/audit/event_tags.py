"""The actions of the audit events of an install."""

from accounts.audit.event_tags import EventTag


class PortalEvent(EventTag):
    """Events of the whole install."""

    SETTINGS_CHANGED = "settings.changed", "{by} started with changed settings"

    PORTAL_RESTORED = "portal.restored", "{by} was restored from a backup"
