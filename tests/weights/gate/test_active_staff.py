"""Roles count only for unsuspended staff with a second factor; others are like anybody else."""

from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.applications.documents import services
from accounts.applications.documents.models import Attachment
from accounts.applications.models import Application
from accounts.grants.models import Grant
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.publishing.models import Revision
from weights.reports import permissions
from weights.reports.models import Report

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

REPO = "acme/secret"
#: URLs of a private checkpoint: pages, files, bytes, and metadata for scripts.
DOORS = [
    f"/{REPO}",
    f"/{REPO}/tree/main",
    f"/{REPO}/blob/main/README.md",
    f"/{REPO}/resolve/main/README.md",
    f"/api/models/{REPO}",
    f"/api/v1/checkpoints/{REPO}",
]


@pytest.fixture(autouse=True)
def _beyond_loopback(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"


@pytest.fixture
def secret(open_tier: Tier) -> Revision:
    """A private checkpoint of a tier whose bytes take no grant."""
    return factories.published(REPO, open_tier, private=True)


def no_factor(person: User) -> None:
    Authenticator.objects.filter(user=person).delete()


def suspended(person: User) -> None:
    User.objects.filter(pk=person.pk).update(suspended_at=timezone.now())


def staff(role: Role) -> User:
    """A person whose roles count."""
    person = factories.staff(factories.word(), role)
    Authenticator.objects.create(user=person, type="totp", data={"secret": "x"})
    return person


def by_session(person: User) -> Callable[[str], int]:
    browser = Client()
    browser.force_login(person)
    return lambda path: browser.get(path).status_code


def by_token(person: User) -> Callable[[str], int]:
    headers = {"Authorization": f"Bearer {factories.token(person, 'read-gated')}"}
    return lambda path: Client(headers=headers).get(path).status_code


@pytest.mark.parametrize("fails", [no_factor, suspended])
def test_a_private_checkpoint_is_unknown_on_every_route_to_inactive_staff(
    secret: Revision, fails: Callable[[User], None]
) -> None:
    owner = staff(Role.RELEASE_OWNER)
    session, token = by_session(owner), by_token(owner)
    assert {door: session(door) for door in DOORS[:4]} == dict.fromkeys(DOORS[:4], 200)
    assert {door: token(door) for door in DOORS[3:]} == dict.fromkeys(DOORS[3:], 200)
    fails(owner)
    unknown = [door.replace("secret", "nothing") for door in DOORS]
    assert [session(door) for door in DOORS] == [session(door) for door in unknown]
    assert [token(door) for door in DOORS] == [token(door) for door in unknown]
    assert {session(door) for door in DOORS[:4]} == {404}


@pytest.mark.parametrize("fails", [no_factor, suspended])
def test_a_revision_that_is_not_shown_is_unknown_to_them_too(
    open_tier: Tier, fails: Callable[[User], None]
) -> None:
    revision = factories.published("acme/shown", open_tier)
    Revision.objects.filter(pk=revision.pk).update(state=Revision.State.PENDING)
    owner = staff(Role.RELEASE_OWNER)
    session, page = by_session(owner), f"/acme/shown/tree/{revision.sha}"
    assert session(page) == 200
    fails(owner)
    assert session(page) == 404


@pytest.mark.parametrize("fails", [no_factor, suspended])
def test_they_read_nobodys_application_document_grant_or_report(
    applicant: User, other_person: User, gated_tier: Tier, fails: Callable[[User], None]
) -> None:
    application = factories.submitted(applicant, gated_tier)
    factories.grant(other_person, gated_tier)
    Attachment.objects.create(
        application=application, question="extra_x", name="x.pdf", size=1, uploaded_by=applicant
    )
    lead = staff(Role.LEAD_REVIEWER)

    def read() -> list[bool]:
        person = User.objects.get(pk=lead.pk)
        deciders = frozenset({Role.LEAD_REVIEWER})
        return [
            Application.objects.readable_by(person).exists(),
            Application.objects.decidable_by(person).exists(),
            services.readable_by(person).exists(),
            Grant.objects.readable_by(person).exists(),
            RoleAssignment.objects.covers(person, deciders, gated_tier),
            is_active_staff(person),
        ]

    assert set(read()) == {True}
    fails(lead)
    assert set(read()) == {False}


@pytest.mark.parametrize("fails", [no_factor, suspended])
def test_a_report_is_read_and_triaged_by_staff_who_act_alone(
    fails: Callable[[User], None],
) -> None:
    report = Report.objects.create(kind=Report.Kind.LEAK, text="Seen on a public host.")
    lead = staff(Role.LEAD_REVIEWER)
    assert permissions.readable_by(lead).exists()
    assert permissions.may_triage(lead, report)
    fails(lead)
    lead = User.objects.get(pk=lead.pk)
    assert not permissions.readable_by(lead).exists()
    assert not permissions.may_triage(lead, report)


def test_on_loopback_no_second_factor_is_required(secret: Revision, settings: Settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    owner = staff(Role.RELEASE_OWNER)
    no_factor(owner)
    assert by_session(owner)(DOORS[3]) == 200
    suspended(owner)
    assert by_session(owner)(DOORS[3]) == 404
