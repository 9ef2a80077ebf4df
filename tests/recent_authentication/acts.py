"""The acts that require a recent authentication, and those that never do.

Each act has its person, its preparation, the ways to attempt it in a browser or script, and how to
see that it took effect.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.test import override_settings
from django.urls import reverse

from accounts.api_tokens.models import ApiToken
from accounts.applications.workflow import decisions
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User
from tests.recent_authentication.world import REPO, World
from tests.support import factories
from tests.weights.inspection import pickle_corpus
from tests.weights.publishing.drafts.making import CARD, committed
from weights.catalogue.models import Checkpoint
from weights.inspection import overrides
from weights.inspection.models import Inspection, InspectionOverride
from weights.integrity import manual_quarantine
from weights.publishing.drafts import checkpoints
from weights.reports import submission
from weights.storage.models import Blob

SECOND = "second@example.net"
NEW_PASSWORD = "a new password 2026"
REASON = "Its weights were found in public."


def nothing(world: World) -> None:
    """No preparation."""


class Act(NamedTuple):
    person: Callable[[World], User]
    attempt: Callable[[World], Any]
    happened: Callable[[World], bool]
    prepare: Callable[[World], object] = nothing


def applicant(world: World) -> User:
    return world.applicant


def lead(world: World) -> User:
    return world.lead


def owner(world: World) -> User:
    return world.owner


def administrator(world: World) -> User:
    return world.administrator


# -- tokens, addresses, second factors ----------------------------------------------------


def _mint(scope: str) -> Callable[[World], Any]:
    sent = {"name": "cluster", "scopes": [scope], "repositories": "", "days": "90"}
    return lambda world: world.post("/settings/tokens/", sent)


def _has_token(world: World) -> bool:
    return ApiToken.objects.filter(recently_authenticated=True).exists()


def _second_address(world: World) -> None:
    EmailAddress.objects.create(user=world.applicant, email=SECOND, verified=True)


def _address(action: str) -> Callable[[World], Any]:
    return lambda world: world.post("/accounts/email/", {f"action_{action}": "", "email": SECOND})


def _has_address(**facts: Any) -> Callable[[World], bool]:
    return lambda world: EmailAddress.objects.filter(email=SECOND, **facts).exists()


def _factors(world: World, kind: str) -> int:
    return int(Authenticator.objects.filter(user=world.applicant, type=kind).count())


def _add_passkey(world: World) -> None:
    # The credential is never used: the act only deletes it.
    passkey = {"name": "Key", "passwordless": True, "credential": {}}
    world.prepared["passkey"] = Authenticator.objects.create(
        user=world.applicant, type="webauthn", data=passkey
    )


def _remove_passkey(world: World) -> Any:
    return world.post(f"/accounts/2fa/webauthn/keys/{world.prepared['passkey'].pk}/remove/")


def _add_codes(world: World) -> None:
    world.add_totp()
    Authenticator.objects.create(
        user=world.applicant, type="recovery_codes", data={"seed": "old", "used_mask": 0}
    )


def _codes_are_new(world: World) -> bool:
    return bool(Authenticator.objects.get(type="recovery_codes").data["seed"] != "old")


# -- grants and applications --------------------------------------------------------------


def _on_grants(action: str, **data: str) -> Callable[[World], Any]:
    def attempt(world: World) -> Any:
        chosen = {"action": action, "_selected_action": str(world.grant.pk), "confirmed": "yes"}
        return world.post("/admin/accounts/grant/", {**chosen, **data})

    return attempt


def _grant_is(state: str) -> Callable[[World], bool]:
    return lambda world: Grant.objects.filter(user=world.applicant, state=state).exists()


def _suspend(world: World) -> None:
    lifecycle.suspend(world.grant, by=None, reason=REASON)


def _decide(action: str, **data: str) -> Callable[[World], Any]:
    def attempt(world: World) -> Any:
        names = [world.application.pk, action]
        return world.post(reverse("admin:accounts_application_decide", args=names), data)

    return attempt


def _approve(world: World) -> None:
    decisions.approve(
        world.application, by=factories.staff("another", Role.REVIEWER), confirmed=True
    )


def _report(world: World) -> None:
    _ = world.grant
    world.prepared["report"] = submission.submit("leak", "The weights stand on a public share.")


def _suspend_by_report(world: World) -> Any:
    data = {"move": "suspend", "suspend-grant": world.grant.pk, "suspend-reason": REASON}
    return world.post(f"/admin/weights/report/{world.prepared['report'].pk}/change/", data)


# -- roles and accounts -------------------------------------------------------------------


def _assign(world: World) -> Any:
    role = {"user": world.applicant.pk, "role": "reviewer", "tier": ""}
    return world.post("/admin/accounts/roleassignment/add/", role)


def _hold_role(world: World) -> None:
    world.prepared["role"] = RoleAssignment.objects.assign(world.applicant, Role.AUDITOR)


def _withdraw(world: World) -> Any:
    page = f"/admin/accounts/roleassignment/{world.prepared['role'].pk}/delete/"
    return world.post(page, {"post": "yes"})


def _withdraw_chosen(world: World) -> Any:
    chosen = {"action": "delete_selected", "_selected_action": str(world.prepared["role"].pk)}
    return world.post("/admin/accounts/roleassignment/", {**chosen, "post": "yes"})


def _has_role(world: World) -> bool:
    return world.applicant.roles.exists()


def _account(world: World) -> User:
    return User.objects.get(pk=world.applicant.pk)


def _suspend_account(world: World) -> Any:
    suspended = {"suspended_at_0": "2026-01-01", "suspended_at_1": "00:00"}
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    form = {"username": "applicant", "is_active": "on", **suspended, **joined}
    return world.post(f"/admin/accounts/user/{world.applicant.pk}/change/", form)


def _set_password(world: World) -> Any:
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    return world.post(f"/admin/accounts/user/{world.applicant.pk}/password/", form)


def _add_account(world: World) -> Any:
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    return world.post(
        "/admin/accounts/user/add/", {**form, "username": "new", "email": "new@example.org"}
    )


def _erase(world: World) -> Any:
    chosen = {"action": "erase", "_selected_action": str(world.applicant.pk), "confirmed": "1"}
    return world.post("/admin/accounts/user/", chosen)


# -- gates --------------------------------------------------------------------------------


def _lower_tier(world: World) -> Any:
    page = f"/admin/accounts/tier/{world.tier.pk}/change/"
    return world.post(page, world.form(page, mode="click-through", opening_reason=REASON))


def _add_tier(world: World) -> Any:
    page = f"/admin/accounts/tier/{world.tier.pk}/change/"
    data = world.form(page, slug="another-tier", name="Another tier")
    return world.post("/admin/accounts/tier/add/", data)


def _private(world: World) -> None:
    _ = world.revision
    Checkpoint.objects.update(private=True)


def _change_checkpoint(**changes: Any) -> Callable[[World], Any]:
    def attempt(world: World) -> Any:
        page = f"/admin/weights/checkpoint/{world.revision.checkpoint_id}/change/"
        data = world.form(page, **changes, opening_reason=REASON)
        data["embargo_until_0"], data["embargo_until_1"] = changes.get("embargo", ("", ""))
        if not changes.get("private", data.pop("private", False)):
            data.pop("private", None)
        return world.post(page, data)

    return attempt


def _move_checkpoint(world: World) -> Any:
    lax = factories.tier("lax", AccessMode.CLICK_THROUGH)
    return _change_checkpoint(tier=lax.pk)(world)


def _refused_file(world: World) -> None:
    blob = world.revision.files.get().blob
    inspection = Inspection.objects.create(
        blob=blob,
        family="pytorch",
        kind="pickle",
        outcome=Inspection.Outcome.REFUSED,
        reason=f"imports numpy.dtype ({len(pickle_corpus.called('numpy.dtype'))} bytes)",
        read_to_end=True,
        version=1,
    )
    first = factories.staff("first", Role.RELEASE_OWNER)
    with override_settings(SINGLE_OPERATOR=False):
        world.prepared["request"] = overrides.ask(inspection, "It only names a type.", by=first)


def _let_pass(world: World) -> Any:
    data = {"move": "confirm", "confirm-reason": "Read the imports; it runs nothing."}
    return world.post(world.prepared["request"].path, data)


def _held_file(world: World) -> None:
    manual_quarantine.hold(world.revision.files.get().blob, REASON, by=world.owner)


def _lift(world: World) -> Any:
    blob = world.revision.files.get().blob
    chosen = {"action": "lift", "_selected_action": str(blob.pk), "confirmed": "yes"}
    return world.post("/admin/weights/blob/", chosen)


def _draft(world: World) -> None:
    made, _ = checkpoints.create_draft("acme", "draft", by=world.owner, tier=world.tier)
    world.prepared["draft"] = committed(made, world.owner, CARD)


def _publish(world: World) -> Any:
    page = f"/my-checkpoints/acme/draft/publish/{world.prepared['draft'].sha}/"
    return world.post(page, {"notes": "Released", "audience": "public"})


def _is_published(world: World) -> bool:
    draft = world.prepared["draft"]
    draft.refresh_from_db()
    return bool(draft.state != draft.State.DRAFT or draft.message == "Released")


def _delete_draft(world: World) -> Any:
    return world.post("/my-checkpoints/acme/draft/delete/")


def _add_licence_version(world: World) -> Any:
    form = {"licence": world.tier.licence_id, "version": "9", "text": "# Terms", "notice_days": "0"}
    effective = {"effective_at_0": "2040-01-01", "effective_at_1": "00:00"}
    return world.post("/admin/accounts/licenceversion/add/", {**form, **effective})


#: Acts of a browser's session.
BY_SESSION: dict[str, Act] = {
    "make a token of scope read-gated": Act(applicant, _mint("read-gated"), _has_token),
    "make a token of scope write": Act(owner, _mint("write"), _has_token),
    "make a token of scope admin": Act(lead, _mint("admin"), _has_token),
    "add an address": Act(applicant, _address("add"), _has_address()),
    "remove an address": Act(
        applicant, _address("remove"), lambda w: not _has_address()(w), _second_address
    ),
    "make an address primary": Act(
        applicant, _address("primary"), _has_address(primary=True), _second_address
    ),
    "set up an authenticator app": Act(
        applicant,
        World.activate_totp,
        lambda w: _factors(w, "totp") == 1,
    ),
    "remove an authenticator app": Act(
        applicant,
        lambda w: w.post("/accounts/2fa/totp/deactivate/"),
        lambda w: _factors(w, "totp") == 0,
        World.add_totp,
    ),
    "open the page that adds a passkey": Act(
        applicant,
        lambda w: w.prepared.setdefault("page", w.client.get("/accounts/2fa/webauthn/add/")),
        lambda w: w.prepared["page"].status_code == 200,
    ),
    "remove a passkey": Act(
        applicant, _remove_passkey, lambda w: _factors(w, "webauthn") == 0, _add_passkey
    ),
    "make new recovery codes": Act(
        applicant,
        lambda w: w.post("/accounts/2fa/recovery-codes/generate/"),
        _codes_are_new,
        _add_codes,
    ),
    "approve an application": Act(
        lead,
        _decide("approve", days="30", confirmed="on"),
        _grant_is("active"),
        lambda w: w.application,
    ),
    "reopen an application": Act(
        lead,
        _decide("reopen", **{"reopen-reason": "the affiliation ended"}),
        _grant_is("revoked"),
        _approve,
    ),
    "suspend a grant": Act(
        lead, _on_grants("suspend", reason=REASON), _grant_is("suspended"), lambda w: w.grant
    ),
    "resume a grant": Act(lead, _on_grants("resume"), _grant_is("active"), _suspend),
    "revoke a grant": Act(
        lead,
        _on_grants("revoke", reason=REASON, code="leak"),
        _grant_is("revoked"),
        lambda w: w.grant,
    ),
    "suspend a grant by a report": Act(lead, _suspend_by_report, _grant_is("suspended"), _report),
    "give a role": Act(administrator, _assign, _has_role),
    "take a role": Act(administrator, _withdraw, lambda w: not _has_role(w), _hold_role),
    "take chosen roles": Act(
        administrator, _withdraw_chosen, lambda w: not _has_role(w), _hold_role
    ),
    "suspend an account": Act(
        administrator, _suspend_account, lambda w: _account(w).suspended_at is not None
    ),
    "set a person's password": Act(
        administrator, _set_password, lambda w: _account(w).check_password(NEW_PASSWORD)
    ),
    "add an account": Act(
        administrator, _add_account, lambda w: User.objects.filter(username="new").exists()
    ),
    "erase an account": Act(administrator, _erase, lambda w: _account(w).erased_at is not None),
    "lower the gate of a tier": Act(
        owner, _lower_tier, lambda w: Tier.objects.get(pk=w.tier.pk).mode == "click-through"
    ),
    "add a tier": Act(
        administrator, _add_tier, lambda w: Tier.objects.filter(slug="another-tier").exists()
    ),
    "make a private checkpoint visible": Act(
        owner,
        _change_checkpoint(private=False),
        lambda w: Checkpoint.objects.filter(private=False).exists(),
        _private,
    ),
    "move a checkpoint to a laxer tier": Act(
        owner,
        _move_checkpoint,
        lambda w: Checkpoint.objects.get().tier.slug == "lax",
        lambda w: w.revision,
    ),
    "lift a quarantine": Act(
        owner, _lift, lambda w: not Blob.objects.filter(held=True).exists(), _held_file
    ),
    "publish a draft": Act(owner, _publish, _is_published, _draft),
    "delete a draft checkpoint": Act(
        owner, _delete_draft, lambda w: not Checkpoint.objects.filter(name="draft").exists(), _draft
    ),
    "publish the text of a licence": Act(
        owner,
        _add_licence_version,
        lambda w: LicenceVersion.objects.filter(version="9").exists(),
    ),
    "let a refused file pass": Act(
        owner,
        _let_pass,
        lambda w: InspectionOverride.objects.exclude(granted_at=None).exists(),
        _refused_file,
    ),
}


# -- the Hub API --------------------------------------------------------------------------

_REQUESTS = f"/api/models/{REPO}/user-access-request"


def _handle(status: str) -> Callable[[World], Any]:
    data = {"user": "applicant", "status": status}
    return lambda world: world.post_json(f"{_REQUESTS}/handle", data)


def _with_token(path: str) -> Callable[[World], Any]:
    def attempt(world: World) -> Any:
        headers = {"Authorization": f"Bearer {world.token}"}
        answer = world.prepared["answer"] = world.client.get(path, headers=headers)
        return answer

    return attempt


def _answered(world: World) -> bool:
    return bool(world.prepared["answer"].status_code == 200)


def _both(world: World) -> None:
    _ = world.revision, world.application


def _decided(world: World) -> None:
    _both(world)
    _approve(world)


#: Acts of a script with a token of the scopes write and admin.
BY_TOKEN: dict[str, Act] = {
    "accept a request": Act(lead, _handle("accepted"), _grant_is("active"), _both),
    "reject a request": Act(
        lead,
        _handle("rejected"),
        lambda w: w.applicant.applications.filter(status="rejected").exists(),
        _both,
    ),
    "take access back": Act(lead, _handle("rejected"), _grant_is("revoked"), _decided),
    "return a request to the queue": Act(lead, _handle("pending"), _grant_is("revoked"), _decided),
    "give access without a request": Act(
        lead,
        lambda w: w.post_json(f"{_REQUESTS}/grant", {"user": "applicant"}),
        _grant_is("active"),
        lambda w: w.revision,
    ),
    "list requests": Act(lead, _with_token(f"{_REQUESTS}/pending"), _answered, _both),
    "check the right to publish": Act(
        owner,
        _with_token(f"/api/models/{REPO}/auth-check/write"),
        _answered,
        lambda w: w.revision,
    ),
}


# -- acts that never require it -------------------------------------------------------------


def _own_token(world: World) -> None:
    world.prepared["plain"] = factories.token(world.applicant, "read")


def _revoke_own(world: World) -> Any:
    token = ApiToken.objects.get()
    return world.post(f"/settings/tokens/{token.public_id}/revoke/")


def _report_leak(world: World) -> Any:
    sent = {"credentials": [world.prepared["plain"]]}
    return world.client.post("/api/credentials/revoke", sent, content_type="application/json")


def _click_through(world: World) -> None:
    world.prepared["tier"] = factories.tier("click", AccessMode.CLICK_THROUGH)


def _accept_licence(world: World) -> Any:
    tier = world.prepared["tier"]
    version = factories.in_force(tier)
    data = {"licence_accept": "on", "licence_sha256": version.text_sha256}
    return world.post(f"/apply/{tier.slug}/", data)


def _no_active_token(world: World) -> bool:
    return not ApiToken.objects.active().exists()


NEVER: dict[str, Act] = {
    "make a token that reads open checkpoints": Act(
        applicant, _mint("read"), lambda w: ApiToken.objects.active().exists()
    ),
    "revoke one's own token": Act(applicant, _revoke_own, _no_active_token, _own_token),
    "report a leaked token": Act(applicant, _report_leak, _no_active_token, _own_token),
    "give access back": Act(
        applicant,
        lambda w: w.post(f"/access/{w.grant.public_id}/give-back/"),
        _grant_is("surrendered"),
        lambda w: w.grant,
    ),
    "accept the licence of a click-through tier": Act(
        applicant, _accept_licence, _grant_is("active"), _click_through
    ),
    "end other sessions": Act(
        applicant,
        lambda w: w.prepared.setdefault("page", w.post("/accounts/sessions/")),
        lambda w: w.prepared["page"]["Location"] == "/accounts/sessions/",
    ),
    "sign out": Act(
        applicant,
        lambda w: w.post("/accounts/logout/"),
        lambda w: "_auth_user_id" not in w.client.session,
    ),
    "reject an application": Act(
        lead,
        _decide("reject", reject_reasons="spam", note="It describes no research at all."),
        lambda w: w.applicant.applications.filter(status="rejected").exists(),
        lambda w: w.application,
    ),
}
