"""Publish drafts, so that everyone who may download the checkpoint sees them."""

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.errors import DomainError, InvalidValue, TransitionRefused
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import OWNERS
from accounts.tiers import services as tiers
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from weights.catalogue import checkpoint_tiers, licences
from weights.catalogue.models import Checkpoint
from weights.errors import BranchMoved, FindingsRefused, PublishRefused
from weights.event_tags import WeightsEvent
from weights.integrity import verification
from weights.publishing import lint_findings, recording
from weights.publishing.drafts import owners
from weights.publishing.drafts.discarding import discard
from weights.publishing.lint import ERROR
from weights.publishing.models import File, Revision
from weights.publishing.queries import head_of
from weights.storage import blob_storage
from weights.storage.models import Blob

__all__ = ["ACT", "Choices", "discard", "publish_draft"]

log = logging.getLogger(__name__)

#: The name of the act in `weights.change_requests.publish_draft`.
ACT = "draft.publish"


@dataclass(frozen=True)
class Choices:
    """The options of a publication; None keeps the checkpoint's current value."""

    private: bool | None = None
    embargo_until: datetime | None = None
    accept_findings: bool = False

    def hold_for(self, checkpoint: Checkpoint) -> bool:
        """True if the checkpoint already has the chosen privacy and embargo."""
        return self.private in {None, checkpoint.private} and self.embargo_until in {
            None,
            checkpoint.embargo_until,
        }

    def to_json(self) -> dict[str, Any]:
        embargo = self.embargo_until
        return asdict(self) | {"embargo_until": embargo.isoformat() if embargo else None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Choices":
        embargo = values["embargo_until"]
        until = datetime.fromisoformat(embargo) if embargo else None
        return cls(values["private"], until, values["accept_findings"])


def publish_draft(
    revision: Revision,
    *,
    by: User | None,
    private: bool | None = None,
    embargo_until: datetime | None = None,
    accept_findings: bool = False,
    reason: str = "",
) -> ChangeRequest | None:
    """Publish a draft: it becomes visible once its files are verified.

    The first publication makes the checkpoint public, unless `private`; `embargo_until` hides it
    until then. `by` is None for a command. If the draft has files of a stricter tier, returns the
    change request, with `reason`, that a second person must confirm. Publishing again changes
    nothing. Raises NotAllowed, RecentAuthenticationRequired, PublishRefused for a card with another
    licence, for quarantined bytes and for an empty draft, FindingsRefused for lint errors,
    BranchMoved if the branch has published something else since, InvalidValue for a past embargo,
    TierRetired.
    """
    recent_authentication.require()
    choices = Choices(private, embargo_until, accept_findings)
    ensure_findings(revision)
    with transaction.atomic():
        draft = _locked(revision)
        if by is not None:
            owners.demand_owner(by, draft.checkpoint)
        if draft.state in {Revision.State.PENDING, Revision.State.VISIBLE}:
            if not choices.hold_for(draft.checkpoint):
                raise _settled(draft.checkpoint)
            return None
        _check(draft, choices)
        stricter = stricter_tiers(draft)
        if stricter and by is not None and change_requests.is_required(by):
            return _open_request(draft, choices, stricter, by, reason)
        _publish(draft, choices, by)
    revision.refresh_from_db()
    return None


def publish_confirmed(revision: Revision, choices: Choices, *, by: User) -> None:
    """Publish once a second person has confirmed; raises the errors of `publish_draft`."""
    with transaction.atomic():
        draft = _locked(revision)
        owners.demand_owner(by, draft.checkpoint)
        _check(draft, choices)
        _publish(draft, choices, by)


def publish_commit(revision: Revision, *, by: User) -> None:
    """Publish a new draft at once if its tier publishes commits and nothing prevents it.

    Otherwise it stays a draft, which an owner may publish later. Call this in the transaction of
    the commit, which holds the checkpoint's lock.
    """
    if not revision.checkpoint.tier.publishes_commits or revision.state != Revision.State.DRAFT:
        return
    try:
        recent_authentication.require()
        with transaction.atomic():
            draft = _locked(revision)
            _check(draft, Choices())
            if not stricter_tiers(draft):
                _publish(draft, Choices(), by)
    except DomainError as error:
        log.info("%s stays a draft: %s", revision, error)
    revision.refresh_from_db()


def obstacles(revision: Revision, choices: Choices | None = None) -> str:
    """Why the draft cannot be published now, as a sentence; empty if it can."""
    try:
        _check(revision, choices or Choices())
    except DomainError as error:
        return str(error)
    return ""


def ensure_findings(revision: Revision) -> None:
    """Lint a revision that has no findings yet."""
    if revision.findings is None:
        found = lint_findings.to_json(lint_findings.lint_revision(revision, blob_storage()))
        Revision.objects.filter(pk=revision.pk, findings__isnull=True).update(findings=found)


def stricter_tiers(draft: Revision) -> list[Tier]:
    """Stricter tiers that have published LFS files of the draft which its own tier has not.

    In a stricter tier, unverified and failed revisions count as published; drafts do not. In the
    draft's tier, only visible revisions of public checkpoints count, since few people have the
    files of a private one.
    """
    here = draft.checkpoint.tier
    published = File.objects.without_drafts().filter(
        blob__in=draft.files.filter(lfs=True, blob__size__gt=0).values("blob")
    )
    in_this = published.filter(
        revision__state=Revision.State.VISIBLE,
        revision__checkpoint__in=Checkpoint.objects.released().filter(tier=here, private=False),
    )
    elsewhere = published.exclude(blob__in=in_this.order_by().values("blob")).order_by()
    return [
        tier
        for tier in Tier.objects.filter(pk__in=elsewhere.values("revision__checkpoint__tier"))
        if checkpoint_tiers.move_opens(tier, here)
    ]


def _locked(revision: Revision) -> Revision:
    """The stored revision, under the locks of its checkpoint and its blobs."""
    checkpoints = Checkpoint.objects.locked().select_related("tier__licence")
    checkpoint = checkpoints.get(pk=revision.checkpoint_id)
    draft = Revision.objects.filter(pk=revision.pk).first()
    if draft is None:
        raise TransitionRefused("this draft was discarded")
    draft.checkpoint = checkpoint
    # Verification locks the blob too, so each sees the other's result.
    used = draft.files.order_by().values("blob")
    list(Blob.objects.select_for_update().filter(pk__in=used).order_by("pk").values_list("pk"))
    return draft


def _check(draft: Revision, choices: Choices) -> None:
    checkpoint = draft.checkpoint
    if draft.state != Revision.State.DRAFT:
        raise TransitionRefused(f"{draft} is no longer a draft")
    if not draft.file_count:
        raise PublishRefused(f"{draft} has no files; commit some first")
    if checkpoint.published_at is None:
        checkpoint.tier.require_active()
    _check_choices(checkpoint, choices)
    _check_branch(draft)
    _check_quarantine(draft)
    licences.check(checkpoint.tier, draft.licence)
    errors = [one["sentence"] for one in draft.findings or [] if one["severity"] == ERROR]
    if errors and not choices.accept_findings:
        raise FindingsRefused(
            f"{' '.join(errors)} Nothing was published: correct the files, or publish them"
            " unchanged by accepting the findings"
        )


def _check_choices(checkpoint: Checkpoint, choices: Choices) -> None:
    embargo = choices.embargo_until
    if embargo is not None and embargo <= timezone.now():
        raise InvalidValue("an embargo must end in the future; leave it out to publish now")
    chosen = choices.private is not None or embargo is not None
    if chosen and checkpoint.published_at is not None:
        raise _settled(checkpoint)


def _settled(checkpoint: Checkpoint) -> PublishRefused:
    return PublishRefused(
        f"{checkpoint} is already published; change its privacy and embargo in its settings"
    )


def _check_branch(draft: Revision) -> None:
    """Raise BranchMoved unless the draft is based on its branch's published head."""
    head = head_of(draft.checkpoint_id, draft.branch)
    if head is None:
        return
    revisions = Revision.objects.filter(checkpoint=draft.checkpoint_id)
    parents = dict(revisions.values_list("pk", "parent_id"))
    ancestor = draft.parent_id
    while ancestor is not None and ancestor != head.pk:
        ancestor = parents[ancestor]
    if ancestor is None:
        raise BranchMoved(
            f"{draft.branch} of {draft.checkpoint} has published {head.sha[:12]} since; commit the"
            " files again on top of it"
        )


def _check_quarantine(draft: Revision) -> None:
    files = File.objects.filter(revision=draft, blob__state=Blob.State.QUARANTINED)
    for file in files.select_related("blob")[:1]:
        reason = file.blob.quarantine_reason.rstrip(".")
        raise PublishRefused(
            f"{file.path} contains bytes that are in quarantine: {reason}. Commit other bytes or"
            " delete the file"
        )


def _open_request(
    draft: Revision, choices: Choices, stricter: Iterable[Tier], by: User, reason: str
) -> ChangeRequest:
    concerned = [draft.checkpoint.tier, *stricter]
    for tier in concerned:
        if not RoleAssignment.objects.covers(by, OWNERS, tier):
            raise PublishRefused(
                f"files of {draft} are published in the stricter tier {tier}; one of its release"
                " owners must publish the draft"
            )
    reason = reason or f"Files of the stricter tier {concerned[1]} enter {concerned[0]}"
    values = choices.to_json() | {"sha": draft.sha}
    return change_requests.open_request(ACT, draft, values, tiers=concerned, by=by, reason=reason)


def _publish(draft: Revision, choices: Choices, by: User | None) -> None:
    """Make the draft pending, or visible if all its files are verified."""
    drafts = Revision.objects.drafts().filter(pk=draft.pk)
    if not drafts.update(state=Revision.State.PENDING, state_reason=""):
        raise TransitionRefused(f"{draft} is no longer a draft")
    checkpoint = draft.checkpoint
    is_first = checkpoint.published_at is None and not (
        checkpoint.revisions.pending().exclude(pk=draft.pk).exists()
    )
    draft.state = Revision.State.PENDING
    if (text := licences.named_text(draft.licence)) and not checkpoint.tier.is_gated:
        licences.assign(checkpoint, text)
    if is_first:
        _open(checkpoint, choices, by)
    recording.record_event(
        draft, WeightsEvent.REVISION_PUBLISHED, by, branch=draft.branch, tag=draft.tag
    )
    verification.settle(draft)
    verification.queue_after_commit(draft)


def _open(checkpoint: Checkpoint, choices: Choices, by: User | None) -> None:
    """Apply the choices of the first publication, and record it in the tier's history."""
    before = checkpoint.private, checkpoint.embargo_until
    checkpoint.private = bool(choices.private)
    checkpoint.embargo_until = choices.embargo_until or checkpoint.embargo_until
    after = checkpoint.private, checkpoint.embargo_until
    changed = [
        name
        for name, old, new in zip(("private", "embargo_until"), before, after, strict=True)
        if old != new
    ]
    if not changed:
        return
    checkpoint.save(update_fields=["private", "embargo_until"])
    AuditEvent.record(
        WeightsEvent.CHECKPOINT_CHANGED, actor=by, target=checkpoint, details={"fields": changed}
    )
    if not checkpoint.is_hidden:
        tiers.record_checkpoint(
            checkpoint.repo_id, before=None, after=checkpoint.tier, by=by, hidden=False
        )
