"""Reports of misuse, leaks, bad files and findings, and the actions on them."""

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from weights.reports.choices import Deed, Kind, State


class Report(models.Model):
    """A report and its outcome. Its page is accessible to anybody with its random id.

    Only the functions of `weights.reports.triage` change its state.
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
    #: The answer to the reporter.
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
        """The public reference number: `R-2026-00042`."""
        return f"R-{(self.created_at or timezone.now()).year}-{self.pk:05d}"

    @property
    def is_open(self) -> bool:
        return self.state in {State.NEW, State.TRIAGED}


class ReportEntry(models.Model):
    """An entry in a report's history: an action of staff or an internal note."""

    report = models.ForeignKey(Report, models.CASCADE, related_name="entries")
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    deed = models.CharField(max_length=12, choices=Deed.choices)
    #: Internal.
    text = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.report}: {self.get_deed_display()}"
