"""The Django project: settings, URLs, processes. The apps do not import it."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
