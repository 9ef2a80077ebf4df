"""The Django project: settings, URLs, processes. Nothing imports it."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
