"""Models of background work."""

from accounts.background.models.failed_item import FailedItem
from accounts.background.models.heartbeat import Heartbeat

__all__ = ["FailedItem", "Heartbeat"]
