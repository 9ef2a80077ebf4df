"""The personal checklist on a checkpoint's page: the gate's decision as steps."""

from dataclasses import dataclass

from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.functional import Promise, lazy
from django.utils.text import format_lazy

from accounts.api_tokens.models import ApiToken, Scope
from accounts.users.models import User
from weights import gate
from weights.catalogue.licences import StatedLicence
from weights.catalogue.models import Checkpoint
from weights.gate import Decision
from weights.gate.caller import session_caller
from weights.gate.refusals import Refusal

_LABELS = {"done": "Done", "todo": "To do", "waiting": "Waiting", "refused": "Refused"}


@dataclass(frozen=True)
class Step:
    """One line of the personal checklist; `state` is done, todo, waiting or refused."""

    state: str
    text: str
    note: str = ""
    address: str | Promise = ""
    link: str = ""

    @property
    def word(self) -> str:
        return _LABELS[self.state]


@dataclass(frozen=True)
class AccessChecklist:
    """The gate's decision for a person, the steps to access, and the button for the next step."""

    decision: Decision
    steps: list[Step]
    button: tuple[str, str] | None

    @property
    def allowed(self) -> bool:
        return self.decision.allowed


_page = lazy(resolve_url, str)
_APPLICATIONS = _page("accounts:application-list")
_ACCESS = _page("weights:access")

#: Refusals with their own step: open applications and ended grants.
_APPLICATION: dict[Refusal, Step] = {
    Refusal.IN_REVIEW: Step(
        "waiting", "Application in review", "We will e-mail you.", _APPLICATIONS, "View it"
    ),
    Refusal.RETURNED: Step(
        "waiting", "Application returned for changes", "", _APPLICATIONS, "Answer"
    ),
    Refusal.REJECTED: Step("refused", "Application rejected", "", _APPLICATIONS, "Read why"),
    Refusal.TIER_RETIRED: Step("refused", "This tier is retired", "It grants no new access."),
    Refusal.GRANT_EXPIRED: Step("refused", "Access has ended", "Apply again to renew it."),
    Refusal.REVOKED: Step(
        "refused", "Access was revoked", "", format_lazy("{}#past", _ACCESS), "Read why"
    ),
    Refusal.SUSPENDED: Step(
        "refused", "Access is on hold", "Is your e-mail confirmed?", _ACCESS, "See why"
    ),
    Refusal.LICENCE_OUTDATED: Step("done", "Application approved"),
}


def access_checklist(
    user: User | None, checkpoint: Checkpoint, licence: StatedLicence | None
) -> AccessChecklist:
    """Return the gate's decision for this checkpoint, with the steps that explain it."""
    decision = gate.may_fetch_checkpoint(session_caller(user), checkpoint.repo_id, timezone.now())
    if not checkpoint.tier.is_gated:
        steps = [Step("done", "Open to anyone", "No account and no token are needed.")]
        if licence and licence.url:
            steps.append(Step("done", "The licence applies", "", licence.url, "Read it"))
        return AccessChecklist(decision, steps, None)
    steps = [_signed_in(user), *_grant_steps(decision, checkpoint)]
    steps.append(_token(user if decision.allowed else None))
    return AccessChecklist(decision, steps, next_step(decision, checkpoint))


def _signed_in(user: User | None) -> Step:
    if user is None:
        return Step("todo", "Sign in")
    return Step("done", f"Signed in as {user.username}")


def _grant_steps(decision: Decision, checkpoint: Checkpoint) -> list[Step]:
    licence = _licence(checkpoint)
    if decision.grant is not None:
        until = f"until {decision.grant.expires_at:%d %B %Y}".replace(" 0", " ")
        return [
            Step("done", "Licence accepted", "", licence, "Read it"),
            Step("done", "Access granted", until),
        ]
    code = decision.code
    accepted = code in {Refusal.IN_REVIEW, Refusal.RETURNED}
    terms = "Accept the new licence" if code is Refusal.LICENCE_OUTDATED else "Accept the licence"
    approve = "Accept" if checkpoint.tier.mode == "click-through" else "Application approved"
    return [
        Step("done", "Licence accepted", "", licence, "Read it")
        if accepted
        else Step("todo", terms, "", licence, "Read it first"),
        _APPLICATION.get(code, Step("todo", approve)) if code else Step("todo", approve),
    ]


def _token(user: User | None) -> Step:
    """Return the step for a token that can read gated checkpoints, which links do not need."""
    address = resolve_url("accounts:token-list")
    if user is None:
        return Step("todo", "Token for scripts", "Create it once you have access.")
    tokens = ApiToken.objects.active().filter(user=user)
    if any(Scope.READ_GATED in token.scopes for token in tokens):
        return Step("done", "Token for scripts", "", address, "Your tokens")
    note = "Not needed for the mailed link."
    return Step("todo", "Token with the scope read-gated", note, address, "Create one")


def next_step(decision: Decision, checkpoint: Checkpoint) -> tuple[str, str] | None:
    """Text and path of the next step after a refusal; None if there is none."""
    apply = resolve_url("accounts:application-create", checkpoint.tier.slug)
    match decision.code:
        case None:
            return None
        case Refusal.TIER_RETIRED:
            page = resolve_url("accounts:tier-detail", checkpoint.tier.slug)
            return "Read the history of the tier", page
        case Refusal.LOGIN_REQUIRED if checkpoint.tier.retired_at:
            return "Sign in, if you have access", resolve_url("account_login")
        case Refusal.LOGIN_REQUIRED:
            return "Review the questions and apply", apply
        case Refusal.IN_REVIEW | Refusal.RETURNED | Refusal.REJECTED:
            return "View your application", str(_APPLICATIONS)
        case Refusal.SUSPENDED | Refusal.REVOKED:
            return "My access", str(_ACCESS)
        case Refusal.LICENCE_OUTDATED:
            return "Read and accept the new licence", apply
        case Refusal.NO_APPLICATION | Refusal.GRANT_EXPIRED:
            return "Apply for access", apply
        case _:
            return None


def _licence(checkpoint: Checkpoint) -> str:
    return resolve_url("accounts:licence-detail", checkpoint.tier.accepted_licence.slug)
