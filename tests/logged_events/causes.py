"""What people do and what happens to bytes, through the portal's own routes."""

import re

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal import auth as totp
from allauth.socialaccount.models import SocialAccount
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications import services as applications
from accounts.applications.workflow import decisions
from accounts.grants import break_glass, lifecycle
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.privacy import erasure
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers import services
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import LicenceVersion
from tests.logged_events.world import NEW, NOTE, PATH, REPO, World
from tests.support import factories
from tests.support.totp import current_code
from weights.delivery import file_links, links
from weights.gate.caller import session_caller
from weights.integrity import manual_quarantine, verification
from weights.privacy import export
from weights.publishing import intake, withdrawal
from weights.storage import blob_storage
from weights.storage.models import Blob


def signs_out(world: World) -> None:
    world.sign_in()
    world.client.post("/accounts/logout/")


def closes_the_file(world: World) -> None:
    world.granted()
    quarantines(world)


def adds_factor(world: World) -> None:
    world.sign_in()
    world.client.post("/accounts/reauthenticate/", {"password": factories.PASSWORD})
    world.client.get("/accounts/2fa/totp/activate/")
    secret = world.client.session[totp.SECRET_SESSION_KEY]
    with current_code(secret) as code:
        world.client.post("/accounts/2fa/totp/activate/", {"code": code})


def removes_factor(world: World) -> None:
    adds_factor(world)
    world.client.post("/accounts/2fa/totp/deactivate/")


def new_recovery_codes(world: World) -> None:
    adds_factor(world)
    world.client.post("/accounts/2fa/recovery-codes/generate/")


def wrong_code(world: World) -> None:
    totp.TOTP.activate(world.applicant, totp.generate_totp_secret())
    world.sign_in()
    world.client.post("/accounts/2fa/authenticate/", {"code": "000000"})


def changes_password(world: World) -> None:
    world.sign_in()
    typed = {"oldpassword": factories.PASSWORD, "password1": NEW, "password2": NEW}
    world.client.post("/accounts/password/change/", typed)


def resets_password(world: World) -> None:
    world.client.post("/accounts/password/reset/", {"email": world.applicant.email})
    text = OutgoingMail.objects.get(to=world.applicant.email).full_text
    path = re.search(r"/accounts/password/reset/key/\S+", text)
    assert path is not None
    page = world.client.get(path[0], follow=True)
    where = page.redirect_chain[-1][0]
    world.client.post(where, {"password1": NEW, "password2": NEW})


def adds_address(world: World) -> None:
    world.sign_in()
    world.client.post("/accounts/email/", {"action_add": "", "email": "second@example.org"})


def removes_address(world: World) -> None:
    EmailAddress.objects.create(user=world.applicant, email="second@example.org", verified=True)
    world.sign_in()
    world.client.post("/accounts/email/", {"action_remove": "", "email": "second@example.org"})


def another_primary_address(world: World) -> None:
    EmailAddress.objects.create(user=world.applicant, email="second@example.org", verified=True)
    world.sign_in()
    world.client.post("/accounts/email/", {"action_primary": "", "email": "second@example.org"})


def signs_up(world: World) -> None:
    typed = {"username": "grace", "email": "grace@uni.example", "password1": NEW, "password2": NEW}
    world.client.post("/accounts/signup/", typed)


def confirms_address(world: World) -> None:
    signs_up(world)
    text = OutgoingMail.objects.get(to="grace@uni.example").full_text
    found = re.search(r"/accounts/confirm-email/\S+", text)
    assert found is not None
    world.client.post(found[0])


def unlinks(world: World) -> None:
    SocialAccount.objects.create(user=world.applicant, provider="github", uid="1").delete()


def revokes_token(world: World) -> None:
    world.token()
    ApiToken.objects.get().revoke(by=world.applicant)


def uses_token_twice(world: World) -> None:
    token = world.token()
    for _ in range(2):
        world.client.get("/api/whoami-v2", headers={"Authorization": f"Bearer {token}"})


def uses_token_at_the_gate(world: World) -> None:
    world.fetch(world.token())


def approves(world: World) -> None:
    decisions.approve(world.submitted(), by=world.reviewer, confirmed=True)


def rejects(world: World) -> None:
    decisions.reject(world.submitted(), by=world.reviewer, reasons=["purpose_unclear"], note=NOTE)


def returns(world: World) -> None:
    factories.returned(world.applicant, world.tier, world.reviewer)


def reopens(world: World) -> None:
    rejects(world)
    decisions.reopen(world.applicant, world.tier, by=world.lead, reason="An appeal.")


def clicks_through(world: World) -> None:
    tier = factories.tier("click", AccessMode.CLICK_THROUGH)
    sha256 = factories.in_force(tier).text_sha256
    applications.accept_licence(world.applicant, tier, licence_sha256=sha256)


def expires(world: World) -> None:
    factories.expired_grant(world.applicant, world.tier)
    lifecycle.expire_due(Grant.objects.all())


def revokes(world: World) -> None:
    lifecycle.revoke(world.granted(), by=world.lead, reason="It was shared.")


def gives_outside_a_review(world: World) -> None:
    break_glass.create(world.applicant, world.tier, days=7, reason="The review is down.")


def issues_link(world: World) -> None:
    world.granted()
    links.issue_now(world.applicant, REPO, 24)


def issues_file_link(world: World) -> None:
    world.granted()
    file_links.issue(session_caller(world.applicant), REPO, "main", PATH)


def publishes(world: World) -> None:
    folder = world.folder / "published"
    folder.mkdir()
    (folder / "config.json").write_bytes(b"{}\n")
    intake.publish(folder, "acme/new", tier=world.tier.slug)


def verifies(world: World) -> None:
    publishes(world)
    for blob in Blob.objects.filter(state=Blob.State.UPLOADED):
        verification.verify(blob.pk)


def finds_damage(world: World) -> None:
    path = blob_storage().local_path(world.blob.sha256)
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(b"x" * world.blob.size)
    Blob.objects.filter(pk=world.blob.pk).update(check_due_at=timezone.now())
    verification.verify(world.blob.pk)


def finds_damage_of_what_was_good(world: World) -> None:
    Blob.objects.filter(pk=world.blob.pk).update(last_verified_at=timezone.now())
    finds_damage(world)


def quarantines(world: World) -> None:
    manual_quarantine.hold(world.blob, NOTE, by=world.owner, recall=False)


def withdraws(world: World) -> None:
    withdrawal.withdraw(world.revision, NOTE, by=world.owner)


def changes_a_tier(world: World) -> None:
    world.tier.term_days = 7
    services.save_tier(world.tier, by=world.owner)


def adds_a_text(world: World) -> None:
    version = LicenceVersion.objects.create(
        licence=world.tier.accepted_licence,
        version="2",
        text="# New\n",
        effective_at=timezone.now(),
    )
    services.record_licence_version(version, by=world.owner)


def gives_a_role(world: World) -> None:
    RoleAssignment.objects.assign(world.applicant, Role.REVIEWER, by=world.administrator)


def takes_a_role(world: World) -> None:
    RoleAssignment.objects.get(user=world.reviewer).withdraw(by=world.administrator)


def exports(world: World) -> None:
    export.make_export(export.request_export(world.applicant).pk)


def erases(world: World) -> None:
    erasure.erase(world.applicant, by=world.applicant)
