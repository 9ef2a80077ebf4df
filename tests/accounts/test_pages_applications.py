"""Applying through the page: strict at submit, and no word is ever lost."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Application, AuditEvent, Grant, Tier, User
from accounts.moves import Status
from accounts.tiers import AccessMode
from tests import factories

ADDRESS = "/apply/opt-175b/"
ABSTRACT = "We measure how outlier features of the residual stream grow with scale. " * 3
PLAN = "On an encrypted volume of our cluster, readable by the two people named, deleted in May. "


@pytest.fixture
def answers(applicant: User, gated_tier: Tier) -> dict[str, Any]:
    """What a valid form sends."""
    return {
        "full_name": "Adaeze Obi",
        "work_email": applicant.email,
        "org_name": "University of Example",
        "org_type": "university",
        "position": "doctoral",
        "country": "NO",
        "profile_url": "https://orcid.org/0000-0002-1825-0097",
        "title": "Outlier features at scale",
        "abstract": ABSTRACT,
        "commercial": "no",
        "commercial_detail": "",
        "storage_plan": PLAN,
        "noncommercial": "on",
        "licence_accept": "on",
        "licence_sha256": factories.in_force(gated_tier).text_sha256,
        "seen_version": "0",
    }


@pytest.fixture
def signed_in(client: Client, applicant: User) -> Client:
    client.force_login(applicant)
    return client


def submit(client: Client, answers: dict[str, Any]) -> Any:
    return client.post(ADDRESS, {**answers, "action": "submit"})


def save(client: Client, answers: dict[str, Any]) -> Any:
    return client.post(ADDRESS, {**answers, "action": "save"})


# -- the way through ------------------------------------------------------------------------


def test_a_stranger_reads_what_is_asked_before_signing_in(client: Client, gated_tier: Tier) -> None:
    page = client.get(ADDRESS).content.decode()
    assert "What will be studied and how" in page
    assert "next=/apply/opt-175b/" in page


def test_looking_at_the_form_makes_no_draft(signed_in: Client, gated_tier: Tier) -> None:
    assert signed_in.get(ADDRESS).status_code == 200
    assert not Application.objects.exists()


def test_a_complete_form_is_submitted(signed_in: Client, answers: dict[str, Any]) -> None:
    answer = submit(signed_in, answers)
    application = Application.objects.get()
    assert answer["Location"] == f"/applications/{application.public_id}/"
    assert application.status == Status.SUBMITTED
    snapshot = application.latest_snapshot
    assert snapshot is not None
    assert snapshot.answers["title"] == "Outlier features at scale"


def test_posted_twice_it_is_one_application(signed_in: Client, answers: dict[str, Any]) -> None:
    submit(signed_in, answers)
    again = submit(signed_in, answers)
    application = Application.objects.get()
    assert again["Location"] == f"/applications/{application.public_id}/"
    assert application.snapshots.count() == 1


def test_a_draft_is_kept_whatever_is_missing(signed_in: Client, answers: dict[str, Any]) -> None:
    answer = save(signed_in, {"title": "Tiny", "seen_version": "0"})
    assert answer.status_code == 302
    page = signed_in.get(ADDRESS).content.decode()
    assert 'value="Tiny"' in page
    assert "Still needed before you can submit" in page


def test_a_saved_draft_can_be_submitted(signed_in: Client, answers: dict[str, Any]) -> None:
    save(signed_in, {**answers, "title": "First words of it"})
    submit(signed_in, {**answers, "seen_version": "1"})
    assert Application.objects.get().status == Status.SUBMITTED


def test_text_is_kept_normalised_and_trimmed(signed_in: Client, answers: dict[str, Any]) -> None:
    submit(signed_in, {**answers, "full_name": "  Ame\u0301lie\u00a0Søren  "})
    assert Application.objects.get().answers["full_name"] == "Amélie\u00a0Søren"


# -- errors keep the input ------------------------------------------------------------------

FAULTS = [
    ("full_name", "ab", "at least 3"),
    ("full_name", "123", "at least one letter"),
    ("full_name", "me@example.org", "not an address"),
    ("full_name", "https://example.org", "not an address"),
    ("work_email", "somebody@else.example", "valid choice"),
    ("org_name", "x", "at least 2"),
    ("org_name", "none", "choose Independent"),
    ("org_type", "company", "valid choice"),
    ("position", "", "required"),
    ("country", "XX", "valid choice"),
    ("profile_url", "", "required"),
    ("profile_url", "http://example.org/me", "https://"),
    ("profile_url", "javascript:alert(1)", "URL"),
    ("title", "Too short", "at least 10"),
    ("title", "x" * 201, "at most 200"),
    ("abstract", "Too short", "at least 150"),
    ("abstract", "x" * 5001, "at most 5000"),
    ("commercial", "maybe", "valid choice"),
    ("storage_plan", "On a disk", "at least 80"),
    ("noncommercial", "", "required"),
    ("licence_accept", "", "required"),
    ("licence_sha256", "0" * 64, "read the new text"),
]


@pytest.mark.parametrize(("key", "value", "told"), FAULTS)
def test_a_fault_is_named_and_nothing_typed_is_lost(
    signed_in: Client, answers: dict[str, Any], key: str, value: str, told: str
) -> None:
    sent = {**answers, key: value}
    if value == "":
        del sent[key]
    answer = submit(signed_in, sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert told in page
    assert 'id="error-summary"' in page
    assert PLAN.strip() in page or key == "storage_plan"
    application = Application.objects.get()
    assert application.status == Status.DRAFT
    assert application.answers["org_type"] == sent["org_type"]


def test_the_help_text_is_no_abstract(signed_in: Client, answers: dict[str, Any]) -> None:
    from accounts.forms import ABSTRACT_HELP

    answer = submit(signed_in, {**answers, "abstract": ABSTRACT_HELP + " Indeed."})
    assert "repeats the help text" in answer.content.decode()


def test_a_commercial_interest_must_be_explained(
    signed_in: Client, answers: dict[str, Any]
) -> None:
    sent = {**answers, "commercial": "yes"}
    assert "Say what the commercial interest is" in submit(signed_in, sent).content.decode()
    sent |= {"commercial_detail": "A spin-off may license the method later on. " * 2}
    submit(signed_in, {**sent, "seen_version": "1"})
    assert Application.objects.get().status == Status.SUBMITTED


def test_a_blocked_country_is_told_before_and_refused(
    signed_in: Client, answers: dict[str, Any], gated_tier: Tier
) -> None:
    Tier.objects.filter(pk=gated_tier.pk).update(blocked_countries="KP")
    assert "North Korea" in signed_in.get(ADDRESS).content.decode()
    answer = submit(signed_in, {**answers, "country": "KP"})
    assert "The licence excludes work in North Korea" in answer.content.decode()


def test_a_new_licence_text_must_be_read_first(
    signed_in: Client, answers: dict[str, Any], gated_tier: Tier
) -> None:
    newer = gated_tier.licence.versions.create(version="2", text="Other terms.")
    page = submit(signed_in, answers).content.decode()
    assert "read the new text" in page
    assert "Other terms." in page
    assert newer.text_sha256 in page
    sent = {**answers, "licence_sha256": newer.text_sha256, "seen_version": "1"}
    submit(signed_in, sent)
    assert Application.objects.get().status == Status.SUBMITTED


def test_markup_in_answers_is_shown_as_text(signed_in: Client, answers: dict[str, Any]) -> None:
    hostile = '"><script>alert(1)</script>'
    submit(signed_in, {**answers, "title": f"A title with {hostile}", "org_name": hostile})
    application = Application.objects.get()
    for address in (f"/applications/{application.public_id}/", "/applications/"):
        assert "<script>alert" not in signed_in.get(address).content.decode()


# -- two windows ----------------------------------------------------------------------------


def test_a_stale_save_shows_both_versions_and_overwrites_nothing(
    signed_in: Client, answers: dict[str, Any]
) -> None:
    save(signed_in, {**answers, "title": "From the first window"})
    answer = save(signed_in, {**answers, "title": "From the second window"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "From the first window" in page
    assert 'value="From the second window"' in page
    assert Application.objects.get().answers["title"] == "From the first window"
    assert 'name="seen_version" value="1"' in page


def test_the_second_save_after_the_warning_is_taken(
    signed_in: Client, answers: dict[str, Any]
) -> None:
    save(signed_in, {**answers, "title": "From the first window"})
    save(signed_in, {**answers, "title": "From the second window"})
    save(signed_in, {**answers, "title": "From the second window", "seen_version": "1"})
    assert Application.objects.get().answers["title"] == "From the second window"


def test_autosave_answers_in_json(signed_in: Client, answers: dict[str, Any]) -> None:
    headers = {"accept": "application/json"}
    saved = signed_in.post(ADDRESS, {**answers, "action": "save"}, headers=headers)
    assert saved.json()["version"] == 1
    stale = {**answers, "title": "Something else", "action": "save"}
    answer = signed_in.post(ADDRESS, stale, headers=headers)
    assert answer.status_code == 409
    assert answer.json()["code"] == "bad_transition"


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 30, None])
def test_a_forged_version_overwrites_nothing(
    signed_in: Client, answers: dict[str, Any], version: str | None
) -> None:
    save(signed_in, answers)
    sent = {**answers, "title": "Not to be kept", "seen_version": version}
    if version is None:
        del sent["seen_version"]
    assert save(signed_in, sent).status_code == 409
    assert Application.objects.get().answers["title"] == answers["title"]


# -- refusals -------------------------------------------------------------------------------


def test_a_holder_has_nothing_to_apply_for(
    signed_in: Client, gated_tier: Tier, applicant: User
) -> None:
    factories.grant(applicant, gated_tier)
    assert "You have access already" in signed_in.get(ADDRESS).content.decode()


def test_an_open_application_is_pointed_at(
    signed_in: Client, gated_tier: Tier, applicant: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    page = signed_in.get(ADDRESS).content.decode()
    assert application.reference in page
    assert str(application.public_id) in page


def test_an_unconfirmed_address_is_refused_with_the_way_out(
    client: Client, gated_tier: Tier
) -> None:
    client.force_login(factories.person(confirmed=False))
    answer = client.get(ADDRESS)
    assert answer.status_code == 403
    assert "/accounts/email/" in answer.content.decode()


def test_an_open_tier_needs_no_application(client: Client, open_tier: Tier) -> None:
    assert "Nothing to apply for" in client.get("/apply/open/").content.decode()


def test_an_unknown_tier_is_404(client: Client, db: None) -> None:
    assert client.get("/apply/nothing/").status_code == 404


# -- click-through --------------------------------------------------------------------------


def test_a_click_through_tier_gives_access_once_the_text_is_accepted(
    signed_in: Client, applicant: User
) -> None:
    tier = factories.tier("click", AccessMode.CLICK_THROUGH)
    sha256 = factories.in_force(tier).text_sha256
    assert "Accept the licence" in signed_in.get("/apply/click/").content.decode()
    assert signed_in.post("/apply/click/", {"licence_sha256": sha256}).status_code == 422
    for _ in range(2):
        sent = {"licence_sha256": sha256, "licence_accept": "on"}
        assert signed_in.post("/apply/click/", sent)["Location"] == "/access/"
    assert Grant.objects.get().origin == Grant.Origin.CLICK_THROUGH


def test_a_holder_accepts_a_new_version_without_applying_again(
    signed_in: Client, gated_tier: Tier, applicant: User
) -> None:
    grant = factories.grant(applicant, gated_tier)
    newer = gated_tier.licence.versions.create(version="2", text="Other terms.")
    assert "Other terms." in signed_in.get(ADDRESS).content.decode()
    sent = {"licence_sha256": newer.text_sha256, "licence_accept": "on"}
    assert signed_in.post(ADDRESS, sent)["Location"] == "/access/"
    grant.refresh_from_db()
    assert grant.licence_version == newer
    assert AuditEvent.objects.about(grant).filter(action="licence.accepted").exists()


# -- following it ---------------------------------------------------------------------------


def test_its_page_tells_what_happened_but_no_internal_note(
    signed_in: Client, gated_tier: Tier, applicant: User, reviewer: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    application.reject(
        by=reviewer,
        reasons=["commercial_use"],
        note="The results feed a paid product, it seems.",
        internal_note="Known from an earlier case",
    )
    page = signed_in.get(f"/applications/{application.public_id}/").content.decode()
    assert "It was rejected" in page
    assert "The licence excludes commercial use" in page
    assert "You may apply again after 30 days" in page
    assert "The results feed a paid product" in page
    assert "Known from an earlier case" not in page
    assert reviewer.email not in page


def test_a_returned_application_is_changed_and_submitted_again(
    signed_in: Client,
    answers: dict[str, Any],
    applicant: User,
    gated_tier: Tier,
    reviewer: User,
) -> None:
    submit(signed_in, answers)
    application = Application.objects.get()
    application.return_for_changes(
        by=reviewer,
        reasons=["incomplete"],
        note="Name the cluster.",
        remarks={"storage_plan": "Which cluster?"},
    )
    page = signed_in.get(ADDRESS).content.decode()
    assert "Name the cluster." in page
    submit(signed_in, {**answers, "title": "A better title for it", "seen_version": "1"})
    application.refresh_from_db()
    assert application.status == Status.SUBMITTED
    assert application.snapshots.count() == 2


def test_an_applicant_withdraws(signed_in: Client, gated_tier: Tier, applicant: User) -> None:
    application = factories.submitted(applicant, gated_tier)
    address = f"/applications/{application.public_id}/withdraw/"
    assert signed_in.get(address).status_code == 405
    signed_in.post(address, {"reason": "Moved to another project"})
    page = signed_in.post(address, follow=True).content.decode()  # again: told, not failed
    assert "cannot withdraw from there" in page
    assert Application.objects.get().status == Status.WITHDRAWN


@pytest.mark.parametrize("place", ["", "withdraw/"])
def test_somebody_elses_application_is_404(
    client: Client, gated_tier: Tier, applicant: User, other_person: User, place: str
) -> None:
    application = factories.submitted(applicant, gated_tier)
    client.force_login(other_person)
    address = f"/applications/{application.public_id}/{place}"
    assert (client.post(address) if place else client.get(address)).status_code == 404


def test_the_list_says_what_will_be_there(signed_in: Client, gated_tier: Tier) -> None:
    page = signed_in.get("/applications/").content.decode()
    assert "You have not applied for anything" in page
    assert ADDRESS in page


@pytest.mark.parametrize("address", ["/applications/", "/settings/tokens/", "/access/", ADDRESS])
def test_personal_pages_are_kept_by_no_cache(
    signed_in: Client, gated_tier: Tier, address: str
) -> None:
    assert signed_in.get(address)["Cache-Control"] == "private, no-store"
