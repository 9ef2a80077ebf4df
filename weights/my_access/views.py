"""The page My access: grants, links and downloads of the person who is signed in."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.api_tokens.models import ApiToken
from accounts.grants.models import Grant
from accounts.grants.queries import tiers_open_to
from accounts.templatetags.wording import day
from accounts.tiers.access_modes import AccessMode
from accounts.users.models import User
from accounts.web.current_user import user_or_none
from accounts.web.row_ids import is_row_id
from weights.catalogue.models import Checkpoint, CheckpointQuerySet
from weights.delivery import links
from weights.delivery.models import CheckpointLink
from weights.errors import GateRefused
from weights.my_access import attention, sessions
from weights.web.lookup import checkpoint_or_404

DOWNLOADS_PAGE, SESSIONS_PAGE = 50, 20
#: The newest links; older ones are left out.
LINKS_SHOWN = 20
#: Checkpoints for which a page offers a link.
OFFERED = 50


@login_required
@require_safe
def access(request: HttpRequest) -> HttpResponse:
    return render(request, "weights/my_access/access.html", _context(request))


@login_required
@require_safe
def downloads(request: HttpRequest) -> HttpResponse:
    """The rows of one session of downloads, with their proofs."""
    rows = sessions.rows_of(_signed_in(request), request.GET)
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "rows": Paginator(rows, DOWNLOADS_PAGE).get_page(request.GET.get("page")),
        "query": f"{query.urlencode()}&",
    }
    return render(request, "weights/my_access/downloads.html", context)


def _context(request: HttpRequest) -> dict[str, Any]:
    user = _signed_in(request)
    grants = list(
        Grant.objects.filter(user=user)
        .select_related("tier__licence", "licence_version__licence", "application")
        .order_by("-starts_at")
    )
    own_links = (
        CheckpointLink.objects.with_credential()
        .filter(holder=user)
        .select_related("checkpoint", "revision")
        .defer("plan")
    )
    page = Paginator(sessions.sessions_of(user), SESSIONS_PAGE).get_page(request.GET.get("page"))
    now = timezone.now()
    start = request.GET.get("from", "")
    first = int(start) if is_row_id(start) else 0
    offered = list(_gated_and_open_to(user)[first : first + OFFERED + 1])
    live = attention.with_newer_text([grant for grant in grants if grant.is_live], now)
    open_tiers = set(tiers_open_to(user).values_list("pk", flat=True))
    return {
        "attention": attention.items_for(user),
        "live": live,
        "held": [grant for grant in grants if grant.is_suspended],
        "past": [
            (grant, _past_badge(grant))
            for grant in grants
            if not (grant.is_live or grant.is_suspended)
        ],
        "checkpoints": offered[:OFFERED],
        "offered_next": first + OFFERED if len(offered) > OFFERED else None,
        "links": [
            (link, _link_badge(link, open_tiers, now))
            for link in own_links.order_by("-created_at")[:LINKS_SHOWN]
        ],
        "open_tiers": open_tiers,
        "tokens": ApiToken.objects.active().filter(user=user).count(),
        "page": page,
        "sessions": sessions.shown(list(page)),
        "now": now,
        "mail_leaves": settings.MAIL_LEAVES,
    }


@login_required
@require_POST
def link_request(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """Queue a new checkpoint link, which is mailed to its holder.

    On a portal that sends no mail, the response shows the link once.
    """
    checkpoint = checkpoint_or_404(request, org, name)
    try:
        session_key = request.session.session_key or ""
        if not settings.MAIL_LEAVES:
            address = links.show_link(_signed_in(request), checkpoint, session_key=session_key)
            shown = {"shown_address": address, "shown_checkpoint": checkpoint}
            return render(request, "weights/my_access/access.html", _context(request) | shown)
        links.request_link(_signed_in(request), checkpoint, session_key=session_key)
        message = f"A link to {checkpoint.repo_id} is being prepared and will be mailed to you."
        messages.success(request, message)
    except GateRefused as error:
        messages.error(request, capfirst(str(error)))
    return redirect("weights:access")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def link_revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask first, then revoke: a running download ends with its link."""
    user = _signed_in(request)
    link = get_object_or_404(CheckpointLink, public_id=public_id, holder=user)
    if request.method != "POST":
        return render(request, "weights/my_access/link_revoke.html", {"link": link})
    links.revoke_link(link, by=user)
    messages.success(request, f"The link to {link.checkpoint} is revoked and no longer works.")
    return redirect("weights:access")


def _signed_in(request: HttpRequest) -> User:
    user = user_or_none(request)
    assert user is not None  # login_required ensures this
    return user


def _gated_and_open_to(user: User) -> CheckpointQuerySet:
    """Gated checkpoints that this person may fetch; open ones need no link."""
    checkpoints = Checkpoint.objects.downloadable_by(user).with_main()
    return checkpoints.exclude(tier__mode=AccessMode.OPEN).order_by("org", "name")


# -- badges ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Badge:
    """`kind` as in components/_badge.html; `note` gives the reason, if the text does not."""

    kind: str
    text: str
    note: str = ""


def _link_badge(link: CheckpointLink, open_tiers: Container[int], now: datetime) -> Badge:
    """`open_tiers` are the ids of the tiers that are open to the holder."""
    if link.revoked_at:
        return Badge("refused", "Revoked")
    if link.state == CheckpointLink.State.QUEUED:
        return Badge("waiting", link.get_state_display())
    if link.state == CheckpointLink.State.FAILED:
        return Badge("refused", link.get_state_display(), link.state_reason)
    if link.expires_at is None or link.expires_at <= now:
        return Badge("absent", "Expired")
    if not link.credential_holds:
        ended = "you signed out of the browser" if link.session_key else "the token was revoked"
        return Badge("refused", "Ended", f"{ended} that requested it")
    if link.revision and link.revision.withdrawn_at:
        return Badge("refused", "No longer works", "the publisher withdrew the files")
    if link.checkpoint.tier_id not in open_tiers:
        return Badge("refused", "Does not work now", "you have no active access to this tier")
    by_staff = link.cause == CheckpointLink.Cause.COMMAND
    if by_staff:
        return Badge("verified", "Issued by staff")
    if link.shown_at:
        return Badge("verified", f"Shown on {day(link.shown_at)}", "it is not stored anywhere")
    if settings.MAIL_LEAVES:
        return Badge("verified", "Mailed")
    return Badge("verified", "Ready", "an administrator can find its mail in the outbox")


def _past_badge(grant: Grant) -> Badge:
    """A grant that ended by its date is still in the state `active`."""
    if grant.state == Grant.State.ACTIVE:
        return Badge("absent", "Expired")
    refused = grant.state in {Grant.State.REVOKED, Grant.State.SUSPENDED}
    return Badge("refused" if refused else "absent", grant.get_state_display())
