"""The models of applications: the application, its snapshots, the questions of a tier."""

from accounts.applications.models.application import Application, ApplicationQuerySet
from accounts.applications.models.snapshot import ApplicationSnapshot

__all__ = ["Application", "ApplicationQuerySet", "ApplicationSnapshot"]
