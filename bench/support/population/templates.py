"""The row of each model that is copied, created by the portal's own code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import install
from support.population.proportions import FAMILIES, TIERS


def create(folder: Path) -> dict[str, Any]:
    """Create one record of each model; return them by name."""
    from accounts.audit.models import AuditEvent
    from accounts.grants.models import Grant
    from accounts.tiers.models import Licence, Tier

    install.publish(install.many_files(folder / "source", 1), "bench/model", "reviewed")
    install.tokens_with_access(1)
    grant = Grant.objects.get()
    _application(grant)
    _facts()
    _download(grant)
    Tier.objects.create(slug="bench-open", name="Open", mode="open", licence=Licence.objects.get())
    _tiers(grant.tier)
    found = {"AuditEvent": AuditEvent.objects.order_by("pk").last()}
    return found | {kind.__name__: kind.objects.order_by("pk").first() for kind in _models()}


def _application(grant: Any) -> None:
    """Create an application of the grant's holder with its snapshot and decision."""
    from accounts.applications.models import Application, ApplicationSnapshot
    from accounts.applications.models.form import FormVersion
    from accounts.review.models import Decision

    application = Application.objects.create(
        applicant=grant.user,
        tier=grant.tier,
        form=FormVersion.objects.create(tier=grant.tier, number=1),
        answers={"full_name": "Ada Example", "title": "Outlier features", "org_name": "Example"},
    )
    snapshot = ApplicationSnapshot.objects.create(
        application=application,
        number=1,
        answers=application.answers | {"abstract": "We measure how features grow. " * 20},
        licence_version=grant.licence_version,
    )
    Decision.objects.create(
        application=application, snapshot=snapshot, reviewer=grant.user, verdict="approve"
    )


def _facts() -> None:
    from weights.catalogue.models import Checkpoint, FileFacts, MeasuredFacts, SearchDocument
    from weights.publishing.models import Revision
    from weights.storage.models import Blob

    FileFacts.objects.get_or_create(blob=Blob.objects.get(), kind=FileFacts.Kind.CARD)
    MeasuredFacts.objects.get_or_create(revision=Revision.objects.get())
    SearchDocument.objects.get_or_create(checkpoint=Checkpoint.objects.get())


def _download(grant: Any) -> None:
    """Create a ledger row for the grant's holder."""
    from weights.ledger.models import Download
    from weights.publishing.models import Revision

    revision = Revision.objects.get()
    Download.objects.create(
        user_id=grant.user_id,
        credential_kind="token",
        credential_id=str(grant.user.public_id),
        grant_id=grant.pk,
        checkpoint_id=revision.checkpoint_id,
        repo_id=revision.checkpoint.repo_id,
        revision=revision.sha,
        outcome=Download.Outcome.REDIRECTED,
        length=1,
        request_id="0" * 32,
        network="192.0.2.0/24",
    )


def _models() -> Iterator[Any]:
    """The models whose single row is copied."""
    from django.apps import apps

    names = "User Grant ApiToken Application ApplicationSnapshot Decision"
    yield from (apps.get_model("accounts", name) for name in names.split())
    names = "Checkpoint Revision Ref Blob File FileFacts MeasuredFacts SearchDocument"
    names += " Download VerificationRun"
    yield from (apps.get_model("weights", name) for name in names.split())
    yield apps.get_model("account", "EmailAddress")


def _tiers(tier: Any) -> None:
    """Create gated tiers with consecutive ids from 1000, and families."""
    from weights.catalogue.models import Family

    for number in range(TIERS):
        tier.pk, tier.slug, tier.name = 1000 + number, f"bench-{number}", f"Bench {number}"
        tier.save(force_insert=True)
    for number in range(FAMILIES):
        Family.objects.create(pk=1000 + number, slug=f"family-{number}", name=f"Family {number}")
