"""What the world reports: misuse, a leak, a bad file, a finding."""

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from weights.reports.kinds import Deed, Kind, State


class Report(models.Model):
    """One report and what became of it. Its page is known to whoever holds its random id.

    States change by the functions of `weights.reports.triage` alone.
    """

    Kind = Kind
    State = State

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    checkpoint = models.ForeignKey(
        "weights.Checkpoint", models.PROTECT, null=True, blank=True, related_name="reports"
    )
    path = models.CharField(max_length=1024, blank=True)
    text = models.TextField()
    contact = models.CharField(max_length=254, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.NEW)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    #: What staff say to whoever reported it.
    answer = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        permissions = [("triage_report", "Can triage reports")]
        indexes = [models.Index(fields=["state", "created_at"], name="report_queue")]

    def __str__(self) -> str:
        return self.reference

    def get_absolute_url(self) -> str:
        return reverse("weights:report-detail", args=[self.public_id])

    @property
    def reference(self) -> str:
        """What a person quotes: `R-2026-00042`."""
        return f"R-{(self.created_at or timezone.now()).year}-{self.pk:05d}"

    @property
    def is_open(self) -> bool:
        return self.state in {State.NEW, State.TRIAGED}


class ReportEntry(models.Model):
    """A line of a report's file: what staff did about it, or an internal note."""

    report = models.ForeignKey(Report, models.CASCADE, related_name="entries")
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    deed = models.CharField(max_length=12, choices=Deed.choices)
    #: For staff alone.
    text = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.report}: {self.get_deed_display()}"
