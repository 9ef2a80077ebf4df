"""Every page of the admin, visited by every role: what each may open, only for its own tiers.

`SEES` repeats this from the specification, not from the code.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db.models import DateTimeField
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from accounts.api_tokens.models import ApiToken
from accounts.applications.models import Application
from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.privacy.models import HolderRecord
from accounts.review.models import ReasonText
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Licence, LicenceVersion, Tier, TierChange
from accounts.users.models import User
from tests.support import factories
from weights.catalogue import checkpoint_tiers
from weights.catalogue.models import Checkpoint, Family
from weights.delivery.models import CheckpointLink
from weights.inspection.models import Inspection, InspectionOverride
from weights.integrity.models import StoreFinding, StoreSurvey, VerificationRun
from weights.ledger.models import Download
from weights.logbook.models import LogbookEntry, LogbookSeries
from weights.manifests.models import ManifestKey
from weights.recalls.models import Recall
from weights.uploads.models import Upload

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

R, L, A = Role.REVIEWER, Role.LEAD_REVIEWER, Role.AUDITOR
OWNER, S = Role.RELEASE_OWNER, Role.ADMINISTRATOR
EVERYBODY = {R, L, OWNER, A, S}
STEWARDS = {OWNER, A, S}
#: record -> the roles that may read it. Nobody may read other records.
SEES: dict[str, set[Role]] = {
    "accounts.application": {R, L, A},
    "accounts.grant": {R, L, A},
    "accounts.reasontext": {R, L, A},
    "accounts.tier": EVERYBODY,
    "accounts.tierchange": EVERYBODY,
    "accounts.licence": {OWNER},
    "accounts.licenceversion": {R, L, OWNER, A},
    "accounts.user": {A, S},
    "accounts.holderrecord": {S},
    "accounts.roleassignment": {S},
    "accounts.apitoken": {A, S},
    "accounts.auditevent": {A, S},
    "accounts.outgoingmail": {S},
    "weights.family": STEWARDS,
    "weights.checkpoint": STEWARDS,
    "weights.revision": STEWARDS,
    "weights.file": STEWARDS,
    "weights.blob": STEWARDS,
    "weights.verificationrun": STEWARDS,
    "weights.inspection": {R, L, OWNER, A, S},
    "weights.inspectionoverride": STEWARDS,
    "weights.storesurvey": STEWARDS,
    "weights.storefinding": STEWARDS,
    "weights.recall": STEWARDS,
    "weights.upload": STEWARDS,
    "weights.manifestkey": STEWARDS,
    "weights.logbookentry": STEWARDS,
    "weights.logbookseries": STEWARDS,
    "weights.checkpointlink": {A},
    "weights.download": {A},
}
#: Who reads these depends on more than the role: tests/weights/reports/test_reports.py and
#: tests/accounts/change_requests/test_pages.py walk them.
ELSEWHERE = {"weights.report", "weights.knownissue", "accounts.changerequest"}
#: Records that belong to a tier, and whose number answers 404 to roles of another one.
OF_A_TIER = {
    "accounts.application",
    "accounts.grant",
    "accounts.tier",
    "accounts.tierchange",
    "accounts.roleassignment",
    "weights.checkpoint",
    "weights.revision",
    "weights.file",
    "weights.blob",
    "weights.verificationrun",
    "weights.inspection",
    "weights.inspectionoverride",
    "weights.recall",
    "weights.upload",
    "weights.logbookentry",
    "weights.logbookseries",
    "weights.checkpointlink",
    "weights.download",
}
#: record -> who may send its form.
CHANGES: dict[str, set[Role]] = {
    "accounts.tier": {OWNER, S},
    "accounts.user": {S},
    "weights.checkpoint": {OWNER},
    "weights.family": {OWNER, S},
    "weights.logbookentry": {OWNER, S},
    "weights.logbookseries": {OWNER, S},
}
#: record -> who may delete it.
DELETES: dict[str, set[Role]] = {
    "accounts.roleassignment": {S},
    "weights.logbookentry": {OWNER, S},
    "weights.logbookseries": {OWNER, S},
}


@pytest.fixture(scope="module")
def shared_records(shared_setup: DjangoDbBlocker) -> dict[str, Any]:
    with shared_setup.unblock():
        factories.staff("reader", Role.REVIEWER)  # is mailed of the application
        return make_records(factories.tier("opt-175b"), factories.person("asking"))


@pytest.fixture
def records(shared_records: dict[str, Any], db: None) -> dict[str, Any]:
    return deepcopy(shared_records)


def make_records(gated_tier: Tier, applicant: User) -> dict[str, Any]:
    """One record of each kind, those of a tier of the gated one."""
    application = factories.submitted(applicant, gated_tier)
    grant = factories.grant(factories.person("holder"), gated_tier)
    revision = factories.published("acme/gated", gated_tier)
    file = revision.files.all()[0]
    factories.token(applicant)
    inspection = Inspection.objects.create(
        blob=file.blob, family="other", outcome="not_inspected", kind="bytes", version=1
    )
    made: list[Any] = [
        application,
        grant,
        gated_tier,
        gated_tier.licence,
        factories.in_force(gated_tier),
        applicant,
        revision,
        revision.checkpoint,
        file,
        file.blob,
        VerificationRun.objects.create(blob=file.blob),
        ManifestKey.objects.create(key_id="0" * 16, fingerprint="0" * 64, public_pem="PEM"),
        Recall.objects.create(blob=file.blob, cause="owner", reason="Wrong."),
        inspection,
        InspectionOverride.objects.create(inspection=inspection, refusal="", asked_why="Read."),
        StoreSurvey.objects.create(store="file:///blobs", started_at=timezone.now()),
        StoreFinding.objects.create(
            kind="missing",
            key="aa/bb/cc",
            size=1,
            first_seen_at=timezone.now(),
            last_seen_at=timezone.now(),
        ),
        ReasonText.objects.create(code="spam", label="Spam", remedy="None"),
        HolderRecord.objects.create(user=applicant, full_name="A", keep_until="2030-01-01"),
        RoleAssignment.objects.assign(factories.person("third"), Role.REVIEWER, gated_tier),
        ApiToken.objects.get(),
        AuditEvent.objects.first(),
        TierChange.objects.create(tier=gated_tier, kind="changed", by_role="staff"),
        OutgoingMail.objects.first(),
        CheckpointLink.objects.create(
            holder=grant.user, grant=grant, checkpoint=revision.checkpoint, cause="request"
        ),
        Download.objects.create(
            credential_kind="token", repo_id="acme/gated", checkpoint_id=revision.checkpoint.pk
        ),
        Upload.objects.create(
            person=grant.user, checkpoint=revision.checkpoint, sha256="a" * 64, size=1
        ),
        LogbookEntry.objects.create(
            checkpoint=revision.checkpoint, date="2026-01-05", cause="data", title="Entry"
        ),
        LogbookSeries.objects.create(
            checkpoint=revision.checkpoint, axis="step", title="Loss", points=[[0, 1], [1, 2]]
        ),
    ]
    family = Family.objects.create(slug="f", name="F")
    return {one._meta.label_lower: one for one in [*made, family]}


def test_every_page_of_the_admin_is_in_the_table(records: dict[str, Any]) -> None:
    ours = {
        model._meta.label_lower
        for model in admin.site._registry
        if model._meta.app_label in {"accounts", "weights"}
    }
    assert ours == set(SEES) | ELSEWHERE
    assert set(records) >= set(SEES)
    assert Authenticator not in admin.site._registry


def _addresses(record: Any) -> list[str]:
    name = f"admin:{record._meta.app_label}_{record._meta.model_name}"
    return [
        reverse(f"{name}_changelist"),
        reverse(f"{name}_change", args=[record.pk]),
        reverse(f"{name}_history", args=[record.pk]),
    ]


@pytest.mark.slow
@pytest.mark.requirement("AD-6")
@pytest.mark.parametrize("role", list(Role), ids=str)
def test_each_role_opens_its_own_pages_and_no_other(
    role: Role, records: dict[str, Any], client: Client
) -> None:
    client.force_login(factories.staff("walker", role))
    for label, roles in SEES.items():
        for address in _addresses(records[label]):
            expected = {200} if role in roles else {403, 404}
            assert client.get(address, follow=True).status_code in expected, address


@pytest.mark.slow
@pytest.mark.parametrize("role", list(Role), ids=str)
def test_records_of_another_tier_do_not_exist(
    role: Role, records: dict[str, Any], client: Client
) -> None:
    client.force_login(factories.staff("walker", role, factories.tier("another")))
    for label in OF_A_TIER:
        record = records[label]
        listed, *pages = _addresses(record)
        if role not in SEES[label]:
            assert client.get(listed).status_code == 403, label
            continue
        link = f"/{record._meta.model_name}/{record.pk}/"
        assert link not in client.get(listed).text, label
        for page in pages:
            assert client.get(page).status_code == 404, page
            assert client.post(page, {"name": "x"}).status_code in {403, 404}, page


@pytest.mark.parametrize("role", [A, S], ids=str)
def test_the_trail_is_read_by_those_of_all_tiers(
    role: Role, records: dict[str, Any], client: Client
) -> None:
    client.force_login(factories.staff("walker", role, factories.tier("another")))
    for page in _addresses(records["accounts.auditevent"]):
        assert client.get(page, follow=True).status_code == 403, page


@pytest.mark.slow
def test_a_private_checkpoint_is_named_only_to_those_who_may_see_it(
    records: dict[str, Any], gated_tier: Tier, client: Client
) -> None:
    """Its bytes are those of a public one too, which a reviewer and other owners look at."""
    private = factories.published("acme/hidden", gated_tier, private=True)
    checkpoint_tiers.record_new_checkpoint(private.checkpoint, by=None)
    moves = reverse("admin:accounts_tierchange_changelist")
    other = factories.published("acme/other", factories.tier("another"))
    kind = ContentType.objects.get_for_model(Checkpoint).pk
    for role, tier in ((R, None), (OWNER, other.checkpoint.tier)):
        client.force_login(factories.staff(f"some-{role}", role, tier))
        jump = client.get(f"/admin/r/{kind}/{private.checkpoint.pk}/")
        assert "acme/hidden" not in jump.get("Location", "") + jump.text
        looked = client.get(_addresses(records["weights.inspection"])[1]).text
        assert "acme/gated/" in looked
        assert "acme/hidden" not in looked
        assert "acme/hidden" not in client.get(_addresses(other)[0]).text
        assert "acme/hidden" not in client.get(moves).text
    client.force_login(factories.staff("theirs", OWNER, gated_tier))
    assert "acme/hidden/" in client.get(_addresses(records["weights.inspection"])[1]).text
    assert "acme/hidden" in client.get(_addresses(private)[0]).text
    assert "acme/hidden" in client.get(moves).text
    page = client.get(_addresses(private.checkpoint)[1]).text
    assert 'href="/acme/hidden"' in page


@pytest.mark.slow
@pytest.mark.requirement("HT-6")
def test_nothing_that_no_button_sends_breaks_a_list(
    records: dict[str, Any], client: Client
) -> None:
    root = User.objects.create_superuser("root", "root@example.org", "x")
    for role in Role:
        RoleAssignment.objects.assign(root, role)
    client.force_login(root)
    for model, page in admin.site._registry.items():
        listed = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert client.get(listed, {"id__regex": "("}).status_code in {302, 400}, listed
        dates = [one.name for one in model._meta.fields if isinstance(one, DateTimeField)]
        for name in dates[:2]:
            for asked in ({"year": 0}, {"year": 99999, "month": 1}, {"year": 9999, "month": 12}):
                query = {f"{name}__{part}": value for part, value in asked.items()}
                assert client.get(listed, query).status_code in {200, 302}, (listed, query)
        actions = list(page.get_actions(_as(root)))
        for action in actions[:1]:
            for chosen in ("x", "", "\0", "9" * 26):
                sent = {"action": action, "_selected_action": chosen}
                assert client.post(listed, sent).status_code == 302, (listed, chosen)
    page_of_roles = reverse("admin:accounts_roleassignment_add")
    for person in ("x", "9" * 26, "\0"):
        said = {"user": person, "role": "reviewer"}
        assert client.get(page_of_roles, said).status_code == 200, person
        assert client.post(page_of_roles, said).status_code == 200, person


def _as(person: User) -> HttpRequest:
    request = HttpRequest()
    request.user = person
    return request


@pytest.mark.slow
@pytest.mark.parametrize("role", list(Role), ids=str)
def test_only_those_who_may_change_it_can_post_the_form(
    role: Role, records: dict[str, Any], client: Client
) -> None:
    client.force_login(factories.staff("walker", role))
    for label, record in records.items():
        if label not in SEES or label == "accounts.application":
            continue  # its page shows, other forms decide: accounts/roles/test_admin.py
        name = f"admin:{record._meta.app_label}_{record._meta.model_name}"
        change = client.post(reverse(f"{name}_change", args=[record.pk]), {})
        taken = role in CHANGES.get(label, set())
        # 200: its faults are shown.
        assert change.status_code in ({200} if taken else {403, 404}), label
        delete = client.post(reverse(f"{name}_delete", args=[record.pk]), {"post": "yes"})
        may_delete = role in DELETES.get(label, set())
        assert delete.status_code in ({302} if may_delete else {403, 404}), label


def test_a_role_of_one_tier_gives_none_for_another(
    gated_tier: Tier, records: dict[str, Any], client: Client
) -> None:
    """A reviewer of this tier and owner of another may read this tier and not change it."""
    person = factories.staff("both", R, gated_tier)
    RoleAssignment.objects.assign(person, OWNER, factories.tier("another"))
    client.force_login(person)
    page = reverse("admin:accounts_tier_change", args=[gated_tier.pk])
    assert client.get(page).status_code == 200
    assert client.post(page, {"name": "x"}).status_code == 403
    ready_made = reverse("admin:accounts_tier_ready_made", args=[gated_tier.pk])
    assert client.post(ready_made, {"keys": ["funding"]}).status_code == 403
    version = {
        "licence": gated_tier.accepted_licence.pk,
        "version": "2",
        "text": "New terms",
        "effective_at_0": "2027-01-01",
        "effective_at_1": "00:00",
        "notice_days": "30",
    }
    client.post(reverse("admin:accounts_licenceversion_add"), version)
    assert LicenceVersion.objects.filter(licence=gated_tier.licence).count() == 1


def test_a_release_owner_names_a_licence_and_gives_it_a_text(client: Client) -> None:
    client.force_login(factories.staff("own", OWNER))
    named = {"slug": "llama", "title": "Llama licence", "spdx_id": "LicenseRef-Llama"}
    assert client.post(reverse("admin:accounts_licence_add"), named).status_code == 302
    licence = Licence.objects.get(slug="llama")
    assert AuditEvent.objects.filter(action="licence.named", object_id=str(licence.pk)).exists()
    version = {
        "licence": licence.pk,
        "version": "1",
        "text": "Terms",
        "effective_at_0": "2026-01-01",
        "effective_at_1": "00:00",
        "notice_days": "30",
    }
    assert client.post(reverse("admin:accounts_licenceversion_add"), version).status_code == 302
    assert [text.version for text in licence.in_force_by(timezone.now())] == ["1"]
    late = version | {"version": "0", "effective_at_0": "2025-12-31"}
    refused = client.post(reverse("admin:accounts_licenceversion_add"), late)
    assert "Version 1 is effective from 2026-01-01 00:00 UTC on" in refused.text
    assert client.post(
        reverse("admin:accounts_licence_change", args=[licence.pk]), named
    ).status_code in {403, 404}


def test_an_administrator_of_one_tier_assigns_no_role_beyond_it(
    gated_tier: Tier, applicant: User, client: Client
) -> None:
    client.force_login(factories.staff("local", S, gated_tier))
    page = reverse("admin:accounts_roleassignment_add")
    for tier in ("", str(factories.tier("another").pk)):
        wide = {"user": applicant.pk, "role": "reviewer", "tier": tier}
        assert client.post(page, wide).status_code == 403
    assert not applicant.roles.exists()
    own = {"user": applicant.pk, "role": "reviewer", "tier": str(gated_tier.pk)}
    assert client.post(page, own).status_code == 302
    assert applicant.roles.get().tier == gated_tier


# -- the second factor --------------------------------------------------------------------


def _custom_pages(application: Application) -> list[str]:
    return [
        "/admin/",
        "/admin/health/",
        "/admin/accounts/",
        "/admin/jsi18n/",
        "/admin/autocomplete/?app_label=accounts&model_name=roleassignment&field_name=user",
        reverse("admin:accounts_application_export"),
        reverse("admin:accounts_application_next"),
        reverse("admin:accounts_application_decide", args=[application.pk, "claim"]),
        reverse("admin:accounts_application_preview", args=[application.pk, "approve"]),
        reverse("admin:accounts_tier_ready_made", args=[application.tier_id]),
    ]


@pytest.mark.slow
@pytest.mark.requirement("AD-1")
def test_without_a_second_factor_no_page_of_the_admin_opens_beyond_loopback(
    records: dict[str, Any], client: Client, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    person = User.objects.create_superuser("root", "root@example.org", "x")
    for role in Role:
        RoleAssignment.objects.assign(person, role)
    client.force_login(person)
    application = records["accounts.application"]
    pages = _custom_pages(application)
    pages += [address for label in SEES for address in _addresses(records[label])]
    for page in pages:
        for ask in (client.get, client.post):
            answer: Any = ask(page)
            assert answer.status_code == 302, page
            assert answer["Location"].startswith("/admin/login/"), page
    assert "second factor" in _followed(client)
    application.refresh_from_db()
    assert application.claimed_by is None
    Authenticator.objects.create(user=person, type="totp", data={"secret": "x"})
    assert client.get("/admin/").status_code == 200


def _followed(client: Client) -> str:
    """The page to which staff without a second factor are redirected."""
    led = client.get("/admin/login/", follow=True)
    assert led.redirect_chain[0][0].startswith("/accounts/2fa/")
    return str(led.text)


API: dict[str, Callable[[Application], tuple[str, dict[str, Any]]]] = {
    "list": lambda _: ("/api/models/acme/gated/user-access-request/pending", {}),
    "handle": lambda application: (
        "/api/models/acme/gated/user-access-request/handle",
        {"user": application.applicant.username, "status": "accepted"},
    ),
    "grant": lambda _: ("/api/models/acme/gated/user-access-request/grant", {"user": "other"}),
}


@pytest.mark.parametrize("call", sorted(API))
@pytest.mark.parametrize("has_factor", [False, True], ids=["without", "with"])
def test_a_token_decides_access_requests_only_for_staff_with_a_second_factor(
    call: str, has_factor: bool, records: dict[str, Any], client: Client, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    factories.person("other")
    lead = factories.staff("tokenlead", L)
    if has_factor:
        Authenticator.objects.create(user=lead, type="totp", data={"secret": "x"})
    token = factories.token(lead, "admin")
    headers = {"Authorization": f"Bearer {token}", "X-Confirmed": "true"}
    grants = Grant.objects.count()
    path, body = API[call](records["accounts.application"])
    if call == "list":
        answer: Any = client.get(path, headers=headers)
    else:
        answer = client.post(path, body, content_type="application/json", headers=headers)
    assert (answer.status_code == 200) == has_factor, answer.content
    assert (Grant.objects.count() > grants) == (has_factor and call != "list")


def test_the_admin_changes_no_password_beside_the_accounts_own_page(
    administrator: User, client: Client
) -> None:
    client.force_login(administrator)
    new = {"new_password1": "another pass 12", "new_password2": "another pass 12"}
    said = {"old_password": factories.PASSWORD, **new}
    answer = client.post("/admin/password_change/", said)
    assert (answer.status_code, answer["Location"]) == (302, reverse("account_change_password"))
    assert User.objects.get(pk=administrator.pk).check_password(factories.PASSWORD)


def test_the_admin_carries_the_portals_icon(client: Client) -> None:
    client.force_login(factories.staff("walker", A))
    assert "img/icon.svg" in client.get(reverse("admin:index")).text
