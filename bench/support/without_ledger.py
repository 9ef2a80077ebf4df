"""The portal as it is, but that nothing writes down what it gave: what the ledger costs."""

from portal.wsgi import application
from weights.ledger import recording


def _nothing(*facts: object, **more: object) -> None:
    pass


recording.record_served = _nothing  # the doors look it up at each answer
__all__ = ["application"]
