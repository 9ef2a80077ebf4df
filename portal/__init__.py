"""The project: wiring, no rules."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
