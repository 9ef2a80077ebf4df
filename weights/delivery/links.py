"""Checkpoint links: request, issue, read and revoke."""

import math
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.background.periodic import each, queue_each, ready
from accounts.background.queueing import queue_after_commit
from accounts.grants.models import Grant
from accounts.mail import outbox
from accounts.tiers.models import Tier
from accounts.users.models import User
from weights import gate
from weights.catalogue.models import Checkpoint, CheckpointQuerySet
from weights.delivery import signed_claims
from weights.delivery.models import CheckpointLink
from weights.errors import GateRefused, WeightsCode
from weights.event_tags import WeightsEvent
from weights.gate.caller import Caller, holder_of, session_caller
from weights.gate.refusals import Refusal
from weights.publishing.models import Revision
from weights.task_names import WeightsTask

LINKS_A_DAY = 3


# -- requesting and issuing -----------------------------------------------------------------


def offered(tier: Tier) -> CheckpointQuerySet:
    """The checkpoints of a tier that its grant holders get links for."""
    return Checkpoint.objects.visible_to(None).with_main().filter(tier=tier)


def links_of_grant(grant: Grant) -> list[CheckpointLink]:
    """Queue one link for each checkpoint of the grant's tier. Idempotent."""
    if not grant.is_live:
        return []
    made = []
    for checkpoint in offered(grant.tier):
        with transaction.atomic():
            link, created = CheckpointLink.objects.get_or_create(
                grant=grant,
                checkpoint=checkpoint,
                cause=CheckpointLink.Cause.APPROVAL,
                defaults={"holder": grant.user},
            )
            if created:
                queue_after_commit(WeightsTask.ISSUE_CHECKPOINT_LINK, link.pk)
                made.append(link)
    return made


def request_link(
    user: User, checkpoint: Checkpoint, *, token: ApiToken | None = None, session_key: str = ""
) -> CheckpointLink:
    """Queue a new link for its holder, at most three a day per checkpoint.

    The link ends with the request's credential: `token`, or the session `session_key`. Raises
    GateRefused with the gate's code if this person may not fetch `main`, or with `quota`.
    """
    caller = session_caller(user) if token is None else holder_of(token)
    decision = gate.may_fetch_revision(caller, checkpoint.repo_id, "main", timezone.now())
    decision.demand_allowed()
    with transaction.atomic():
        lock_user(user)
        waiting = CheckpointLink.objects.waiting().filter(
            holder=user, checkpoint=checkpoint, token=token, session_key=session_key
        )
        if (link := waiting.first()) is not None:
            return link
        link = _request(caller, decision, checkpoint, token=token, session_key=session_key)
        queue_after_commit(WeightsTask.ISSUE_CHECKPOINT_LINK, link.pk)
    return link


def show_link(user: User, checkpoint: Checkpoint, *, session_key: str) -> str:
    """Issue a link and return its URL, `…/d/<token>/`, for the page to show.

    For portals that send no mail. The URL is not stored, so only this response contains it. The
    link ends with the session. Raises GateRefused like `request_link`.
    """
    caller = session_caller(user)
    decision = gate.may_fetch_revision(caller, checkpoint.repo_id, "main", timezone.now())
    decision.demand_allowed()
    with transaction.atomic():
        lock_user(user)
        link = _request(caller, decision, checkpoint, session_key=session_key)
        link.shown_at = timezone.now()
        return _issue(link, decision, timedelta(hours=checkpoint.tier.checkpoint_link_hours))


def _request(
    caller: Caller,
    decision: gate.Decision,
    checkpoint: Checkpoint,
    *,
    token: ApiToken | None = None,
    session_key: str = "",
) -> CheckpointLink:
    """Record the request for a link, within the daily quota; call with the user locked."""
    user = caller.user
    assert user is not None  # the gate allowed this person
    _demand_daily_quota(user, checkpoint)
    link = CheckpointLink.objects.create(
        grant=decision.grant,
        checkpoint=checkpoint,
        holder=user,
        token=token,
        session_key=session_key,
        cause=CheckpointLink.Cause.REQUEST,
    )
    AuditEvent.record(
        WeightsEvent.CHECKPOINT_LINK_REQUESTED,
        actor=user,
        target=link,
        credential=caller.credential,
    )
    return link


def issue_now(user: User, repo_id: str, hours: int) -> str:
    """Issue a link by command and return its URL, `…/d/<token>/`.

    Raises GateRefused, also with `bad_lifetime` if `hours` exceed the tier's limit.
    """
    caller = Caller(user=user, kind="command")
    decision = gate.may_fetch_revision(caller, repo_id, "main", timezone.now())
    decision.demand_allowed()
    assert decision.checkpoint is not None  # an allowed decision names it
    most = decision.checkpoint.tier.checkpoint_link_hours
    if not 1 <= hours <= most:
        raise GateRefused(
            WeightsCode.BAD_LIFETIME, f"this tier's links last 1 to {most} hours, not {hours}"
        )
    link = CheckpointLink(
        grant=decision.grant,
        checkpoint=decision.checkpoint,
        holder=user,
        cause=CheckpointLink.Cause.COMMAND,
    )
    with transaction.atomic():
        link.save()
        return _issue(link, decision, timedelta(hours=hours))


def issue(link_id: int) -> None:
    """Sign a queued link, store its plan and email its holder. Idempotent.

    The gate decides again: the link fails if the grant or credential has ended meanwhile, or the
    revision was withdrawn.
    """
    with transaction.atomic():
        queued = CheckpointLink.objects.waiting().select_for_update(of=("self",))
        link = (
            queued.with_credential()
            .select_related("checkpoint__tier__licence", "holder", "token")
            .filter(pk=link_id)
            .first()
        )
        if link is None:
            return
        if not link.credential_holds:
            _fail(link, "the token or session that requested it has ended; ask for a new one")
            return
        caller = Caller(user=link.holder, kind="link", grant_id=link.grant_id)
        repo_id = link.checkpoint.repo_id
        decision = gate.may_fetch_revision(caller, repo_id, "main", timezone.now())
        if not decision.allowed:
            _fail(link, decision.message)
            return
        life = timedelta(hours=link.checkpoint.tier.checkpoint_link_hours)
        address = _issue(link, decision, life)
        outbox.send(
            "checkpoint_link",
            key=str(link.public_id),
            recipient=link.holder,
            about=link,
            secret=address,
            context={"link": link, "address": address, "checkpoint": link.checkpoint},
        )


def _issue(link: CheckpointLink, decision: gate.Decision, life: timedelta) -> str:
    """Fill in the record and return the folder's URL; the token itself is not stored."""
    now = timezone.now()
    revision, grant = decision.revision, decision.grant
    assert revision is not None  # an allowed decision about a revision names it
    link_id = secrets.token_bytes(16)
    ends = min([now + life, *_ends_of_credentials(link, grant)])
    token = signed_claims.sign_token(link_id, int(ends.timestamp()), settings.LINK_KEYS)
    link.id_digest = signed_claims.link_digest(link_id)
    link.revision = revision
    link.key_id = next(iter(settings.LINK_KEYS))
    link.state = CheckpointLink.State.ISSUED
    link.issued_at, link.expires_at = now, ends
    link.grant = grant
    link.plan, link.plan_made_at = _plan(revision), now
    link.save()
    AuditEvent.record(
        WeightsEvent.CHECKPOINT_LINK_ISSUED,
        actor=link.holder,
        target=link,
        details={"revision": revision.sha, "expires": ends.isoformat(), "cause": link.cause},
    )
    return folder_url(token)


def folder_url(token: str) -> str:
    """The absolute URL of a checkpoint link, which ends with a slash."""
    return settings.PUBLIC_URL + reverse("delivery:link-folder", args=[token])


def _ends_of_credentials(link: CheckpointLink, grant: Grant | None) -> list[datetime]:
    """When the grant, token and session behind the link end; the link must not outlive them."""
    ends = [one.expires_at for one in (grant, link.token) if one is not None]
    if link.session_key:
        sessions = Session.objects.filter(session_key=link.session_key)
        ends.extend(sessions.values_list("expire_date", flat=True))
    return ends


def _plan(revision: Revision) -> list[dict[str, Any]]:
    """Each file with its path, size in bytes and SHA-256; without URLs, which are secrets."""
    return [
        {"path": file.path, "size": file.size, "sha256": file.sha256}
        for file in revision.files.select_related("blob")
    ]


def _fail(link: CheckpointLink, reason: str) -> None:
    link.state = CheckpointLink.State.FAILED
    link.state_reason = reason[:500]
    link.save(update_fields=["state", "state_reason"])
    AuditEvent.record(
        WeightsEvent.CHECKPOINT_LINK_FAILED, actor=link.holder, target=link, result="failed"
    )


def _demand_daily_quota(user: User, checkpoint: Checkpoint) -> None:
    since = timezone.now() - timedelta(days=1)
    made = CheckpointLink.objects.filter(
        holder=user,
        checkpoint=checkpoint,
        cause=CheckpointLink.Cause.REQUEST,
        created_at__gte=since,
    )
    newest = list(made.order_by("-created_at").values_list("created_at", flat=True)[:LINKS_A_DAY])
    if len(newest) == LINKS_A_DAY:
        message = f"at most {LINKS_A_DAY} links a day per checkpoint; try again tomorrow"
        wait = math.ceil((newest[-1] - since).total_seconds())
        raise GateRefused(Refusal.QUOTA, message, wait=wait)


# -- reading and revoking -------------------------------------------------------------------


def link_caller(token: str, now: datetime) -> Caller:
    """The caller of a checkpoint link's token.

    Raises signed_claims.BadSignature for an altered or unknown token. The caller has a problem if
    the link was revoked, has expired (without a query), or its credential has ended.
    """
    claim = signed_claims.read_token(token, settings.LINK_KEYS)
    if claim.expires <= now.timestamp():
        return Caller(kind="link", problem=Refusal.LINK_EXPIRED)
    link = (
        CheckpointLink.objects.with_credential()
        .select_related("holder", "checkpoint", "revision")
        .defer("plan")
        .filter(id_digest=claim.digest)
        .first()
    )
    if link is None:
        raise signed_claims.BadSignature("no such link")
    ended = link.revoked_at is not None or not link.credential_holds
    revoked = ended or not link.holder.is_active
    return Caller(
        user=link.holder,
        kind="link",
        credential_id=str(link.public_id),
        link=link,
        grant_id=link.grant_id,
        problem=Refusal.LINK_REVOKED if revoked else None,
    )


def expired_link(token: str) -> CheckpointLink | None:
    """The record of a valid but expired link, whose page offers a new one."""
    claim = signed_claims.read_token(token, settings.LINK_KEYS)
    return (
        CheckpointLink.objects.select_related("checkpoint").filter(id_digest=claim.digest).first()
    )


def revoke_link(link: CheckpointLink, *, by: User | None) -> None:
    """Revoke this link, with effect from the next request. Idempotent."""
    now = timezone.now()
    with transaction.atomic():
        if CheckpointLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=now):
            AuditEvent.record(WeightsEvent.CHECKPOINT_LINK_REVOKED, actor=by, target=link)


def end_links(person: User, *, by: User | None, sessions_only: bool = False) -> None:
    """Revoke all unexpired links of `person`, or only those requested in a session.

    Idempotent.
    """
    links = CheckpointLink.objects.filter(holder=person, revoked_at=None).exclude(
        expires_at__lte=timezone.now()
    )
    for link in links.exclude(session_key="") if sessions_only else links:
        revoke_link(link, by=by)


def sweep() -> None:
    """Queue waiting links, and links for approvals that have none."""
    waiting = CheckpointLink.objects.waiting()
    if not queue_each(WeightsTask.ISSUE_CHECKPOINT_LINK, waiting, 200):
        return
    approved = Grant.objects.live().filter(origin=Grant.Origin.APPLICATION)
    released = Checkpoint.objects.visible_to(None).with_main()
    for checkpoint in released.filter(tier__mode="reviewed"):
        without = approved.filter(tier=checkpoint.tier).exclude(
            checkpoint_links__checkpoint=checkpoint,
            checkpoint_links__cause=CheckpointLink.Cause.APPROVAL,
        )
        links_of_grants(without)


def links_of_grants(grants: "models.QuerySet[Grant]") -> None:
    """Queue the missing links of up to 200 of these grants."""
    step = "links of approvals"
    each(step, ready(step, grants)[:200], lambda grant: len(links_of_grant(grant)))
