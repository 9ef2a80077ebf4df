from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Wiring: settings, urls, Celery, health, quickstart. Nothing imports it."""

    name = "portal"
