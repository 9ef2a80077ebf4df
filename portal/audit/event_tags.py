"""The actions of the audit events of an install."""

from accounts.audit.event_tags import EventTag


class PortalEvent(EventTag):
    """What happens to an install as a whole."""

    SETTINGS_CHANGED = "settings.changed"

    PORTAL_RESTORED = "portal.restored"
