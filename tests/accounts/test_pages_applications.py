"""Applying through the pages: kept as typed, strict at submit alone, and no word is ever lost."""

from itertools import pairwise
from typing import Any

import pytest
from django.test import Client

from accounts.models import Application, AuditEvent, Grant, Tier, User
from accounts.moves import Status
from accounts.tiers import AccessMode
from tests import factories
from tests.accounts.form_filler import ADDRESS, PLAN, Filler

pytestmark = pytest.mark.one_database


@pytest.fixture
def signed_in(client: Client, applicant: User) -> Client:
    client.force_login(applicant)
    return client


@pytest.fixture
def filler(signed_in: Client, gated_tier: Tier, applicant: User) -> Filler:
    """The applicant at the form of the gated tier."""
    return Filler(signed_in, gated_tier, applicant)


@pytest.fixture
def begun(filler: Filler) -> Filler:
    filler.begin()
    return filler


# -- the way through ------------------------------------------------------------------------


def test_a_stranger_reads_what_is_asked_before_signing_in(client: Client, gated_tier: Tier) -> None:
    page = client.get(ADDRESS).content.decode()
    assert "What will be studied and how" in page
    assert "next=/apply/opt-175b/" in page


def test_looking_at_the_start_makes_no_draft(signed_in: Client, gated_tier: Tier) -> None:
    assert signed_in.get(ADDRESS).status_code == 200
    assert not Application.objects.exists()


def test_beginning_asks_for_the_country_and_leads_to_the_first_step(filler: Filler) -> None:
    answer = filler.begin("NO")
    assert answer["Location"] == filler.place("you")
    assert '<option value="NO" selected>' in filler.page("you")
    assert filler.begin("NO")["Location"] == filler.place("you")  # twice is one draft
    assert Application.objects.count() == 1


def test_a_blocked_country_is_told_before_anything_is_filled_in(
    filler: Filler, gated_tier: Tier
) -> None:
    Tier.objects.filter(pk=gated_tier.pk).update(blocked_countries="KP")
    assert "North Korea" in filler.client.get(ADDRESS).content.decode()
    answer = filler.begin("KP")
    assert answer.status_code == 422
    assert "The licence excludes work in North Korea" in answer.content.decode()
    assert not Application.objects.exists()


def test_each_step_leads_to_the_next_and_the_last_to_the_review(begun: Filler) -> None:
    steps = ["you", "project", "plan", "terms", "review"]
    for step, after in pairwise(steps):
        assert begun.save(step)["Location"] == begun.place(after)
    assert "Ready to submit" in begun.page("review")


def test_the_buttons_save_and_lead_back_and_to_any_step(begun: Filler) -> None:
    assert begun.save("project", go="back")["Location"] == begun.place("you")
    assert begun.save("project", go="terms")["Location"] == begun.place("terms")
    assert begun.save("project", go="review")["Location"] == begun.place("review")
    assert begun.save("project", go="https://example.org")["Location"] == begun.place("project")
    assert begun.application.answers["title"] == begun.answers["title"]


def test_a_complete_form_is_submitted(filler: Filler) -> None:
    filler.fill()
    answer = filler.submit()
    application = filler.application
    assert answer["Location"] == f"/applications/{application.public_id}/"
    assert application.status == Status.SUBMITTED
    snapshot = application.latest_snapshot
    assert snapshot is not None
    assert snapshot.answers["title"] == "Outlier features at scale"


def test_submitted_twice_it_is_one_application(filler: Filler) -> None:
    filler.fill()
    sent = {"seen": "x", "seen_version": str(filler.application.answers_version), "go": "submit"}
    for _ in range(2):
        answer = filler.client.post(filler.place("review"), sent)
        assert answer["Location"] == f"/applications/{filler.application.public_id}/"
    assert filler.application.snapshots.count() == 1


def test_a_step_is_kept_whatever_is_missing(begun: Filler) -> None:
    assert begun.save("project", title="Tiny", abstract=None).status_code == 302
    page = begun.page("project")
    assert 'value="Tiny"' in page
    assert "at least 10" in page  # what is there is judged at once
    assert "This field is required" not in page  # what is not there yet is no fault
    assert "Still needed before you can submit" in begun.page("review")


def test_coming_back_leads_to_the_first_step_that_needs_something(begun: Filler) -> None:
    begun.save("you")
    assert begun.client.get(ADDRESS)["Location"] == begun.place("project")
    begun.fill()
    assert begun.client.get(ADDRESS)["Location"] == begun.place("review")


def test_a_draft_is_the_same_in_another_browser_after_signing_out(
    begun: Filler, applicant: User
) -> None:
    begun.save("project", title="Typed in the first browser")
    begun.client.logout()
    assert begun.client.get(begun.place("project")).status_code == 302
    begun.client = Client()
    begun.client.force_login(applicant)
    assert "Typed in the first browser" in begun.page("project")


def test_what_was_typed_while_the_session_ended_is_kept_through_signing_in(
    begun: Filler, applicant: User
) -> None:
    seen, place = begun.hidden("project"), begun.place("project")
    begun.client.logout()
    begun.client.get("/accounts/login/")
    answer = begun.save("project", title="Typed after the session ended", seen=seen)
    assert answer["Location"] == f"/accounts/login/?next={place}"
    assert "title" not in begun.application.answers
    facts = {"login": applicant.username, "password": factories.PASSWORD, "next": place}
    assert begun.client.post("/accounts/login/", facts)["Location"] == place
    assert begun.client.get(place)["Location"] == begun.place("plan")
    assert begun.application.answers["title"] == "Typed after the session ended"


def test_what_was_typed_before_signing_in_again_elsewhere_is_shown_and_not_saved(
    begun: Filler, applicant: User
) -> None:
    """Its form has an old proof: as far as anyone can tell it is another site's."""
    begun.save("project", title="What was saved before")
    place, seen = begun.place("project"), begun.hidden("project")
    window = Client(enforce_csrf_checks=True)
    window.force_login(applicant)
    sent = {"title": "Typed <before>", "seen": seen}
    answer = window.post(place, sent)
    assert answer.status_code == 403
    assert "This is not saved yet" in answer.text
    assert 'value="Typed &lt;before&gt;"' in answer.text
    assert "What was saved before" in answer.text
    quiet = window.post(place, sent, headers={"accept": "application/json"})
    assert (quiet.status_code, quiet.json()["code"]) == (403, "csrf_failed")
    assert begun.application.answers["title"] == "What was saved before"
    proof = window.cookies["csrftoken"].value
    assert window.post(place, {**sent, "csrfmiddlewaretoken": proof}).status_code == 302
    assert begun.application.answers["title"] == "Typed <before>"


def test_another_site_leaves_no_text_for_who_signs_in_next(begun: Filler, applicant: User) -> None:
    place = begun.place("project")
    window = Client(enforce_csrf_checks=True)
    answer = window.post(place, {"title": "Forged", "seen": begun.hidden("project")})
    assert (answer.status_code, "csrf_failed" in answer.text) == (403, True)
    window.force_login(applicant)
    assert "Forged" not in window.get(place).text


def test_what_a_stranger_sends_is_nobodys_text(
    begun: Filler, other_person: User, applicant: User
) -> None:
    place = begun.place("project")
    window = Client()
    window.post(place, {"title": "Not the applicant's", "seen": begun.hidden("project")})
    window.force_login(other_person)
    assert window.get(place).status_code == 404
    quiet = Client().post(place, {"title": "x"}, headers={"accept": "application/json"})
    assert (quiet.status_code, quiet.json()["code"]) == (401, "login_required")
    assert "title" not in begun.application.answers


def test_text_is_kept_normalised_and_trimmed(begun: Filler) -> None:
    begun.save("you", full_name="  Ame\u0301lie\u00a0Søren \0 ")
    assert begun.application.answers["full_name"] == "Amélie\u00a0Søren"


def test_no_text_poses_as_another_by_turning_its_direction(begun: Filler) -> None:
    begun.save("you", full_name="Ola \u202enoslO\u202d Nordmann", org_name="جامعة\u200f (Oslo)")
    assert begun.application.answers["full_name"] == "Ola noslO Nordmann"
    assert begun.application.answers["org_name"] == "جامعة\u200f (Oslo)"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("王小明", "大規模言語モデルにおける外れ値特徴の研究"),
        ("فاطمة بنت محمد", "دراسة السمات الشاذة في النماذج اللغوية الكبيرة"),
    ],
    ids=["han", "arabic"],
)
def test_names_and_texts_of_any_script_are_taken(filler: Filler, name: str, title: str) -> None:
    filler.fill(full_name=name, title=title)
    assert 'dir="auto"' in filler.page("project")
    filler.submit()
    page = filler.client.get(f"/applications/{filler.application.public_id}/").content.decode()
    assert filler.application.status == Status.SUBMITTED
    assert name in page
    assert title in page


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
    ("profile_url", "https://orcid.org/0000-0002-1825-0098", "no ORCID iD"),
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


@pytest.mark.one_database
@pytest.mark.parametrize(("key", "value", "told"), FAULTS)
def test_a_fault_is_named_on_the_review_and_at_its_field_and_nothing_typed_is_lost(
    filler: Filler, key: str, value: str, told: str
) -> None:
    filler.jot(**{key: value or None})
    answer = filler.submit()
    page = answer.content.decode()
    assert answer.status_code == 422
    assert told in page
    assert 'id="error-summary"' in page
    field = "licence_accept" if key == "licence_sha256" else key
    step = next(step for step in ("you", "project", "plan", "terms") if filler_has(step, field))
    assert f"{filler.place(step)}?check#field-{field}" in page
    assert told in filler.page(step, "?check")
    assert PLAN.strip() in page or key == "storage_plan"
    application = filler.application
    assert application.status == Status.DRAFT
    assert application.answers.get(key, "") == value


def filler_has(step: str, key: str) -> bool:
    from accounts.questions import STEPS

    return key in STEPS[step][1]


def test_the_help_text_is_no_abstract(filler: Filler) -> None:
    from accounts.forms import ABSTRACT_HELP

    filler.jot(abstract=ABSTRACT_HELP + " Indeed.")
    assert "repeats the help text" in filler.submit().content.decode()


def test_a_commercial_interest_must_be_explained(filler: Filler) -> None:
    filler.fill(commercial="yes")
    assert "Say what the commercial interest is" in filler.submit().content.decode()
    told = "A spin-off may license the method later on. " * 2
    filler.save("project", commercial="yes", commercial_detail=told)
    filler.submit()
    assert filler.application.status == Status.SUBMITTED


def test_a_free_mail_address_is_taken_with_a_profile_and_told(
    signed_in: Client, gated_tier: Tier
) -> None:
    person = factories.person(email="ada@gmail.com")
    signed_in.force_login(person)
    filler = Filler(signed_in, gated_tier, person)
    filler.jot(profile_url=None)
    page = filler.submit().content.decode()
    assert "required with an address of a free mail service" in page
    filler.save("you")
    assert "is an address that anyone can have" in filler.page("review")
    filler.submit()
    assert filler.application.status == Status.SUBMITTED


def test_a_linked_orcid_stands_in_for_the_profile(applicant: User, gated_tier: Tier) -> None:
    from accounts.forms import ApplicationForm

    facts = {"person": applicant, "tier": gated_tier, "licence": factories.in_force(gated_tier)}
    bare = ApplicationForm({}, **facts)  # type: ignore[arg-type]
    linked = ApplicationForm({}, linked_orcid="0000-0002-1825-0097", **facts)  # type: ignore[arg-type]
    assert "profile_url" in bare.errors
    assert "profile_url" not in linked.errors


def test_what_the_terms_say_of_an_answer_stands_at_it_and_on_the_review(
    begun: Filler, gated_tier: Tier
) -> None:
    gated_tier.duo_codes = ["DUO:0000042", "DUO:0000018", "DUO:0000025"]
    gated_tier.save()
    begun.save("you", org_type="industry_laboratory")
    begun.save("project", commercial="yes", commercial_detail="A spin-off may follow. " * 4)
    told = "not-for-profit organisations only"
    assert told in begun.page("you")
    assert told in begun.page("review")
    assert "does not rule an application out" in begun.page("review")
    assert "delete the weights when it ends" in begun.page("terms")
    begun.fill(org_type="industry_laboratory")
    begun.submit()  # it tells and never decides
    assert begun.application.status == Status.SUBMITTED


# -- the licence ----------------------------------------------------------------------------


def test_a_new_licence_text_must_be_read_first_and_its_changes_are_shown(
    filler: Filler, gated_tier: Tier
) -> None:
    filler.fill()
    newer = gated_tier.licence.versions.create(
        version="2", text="# Terms\n\nFor research alone, never for harm.\n"
    )
    assert "read the new text" in filler.submit().content.decode()
    page = filler.page("terms")
    assert "The licence has changed since you accepted it" in page
    assert "alone" in page[page.index("<ins>") : page.index("</ins>")]
    assert "checked" not in page[page.index('id="id_licence_accept"') - 200 :][:400]
    filler.save("terms", licence_sha256=newer.text_sha256)
    filler.submit()
    snapshot = filler.application.latest_snapshot
    assert snapshot is not None
    assert snapshot.licence_version == newer


def test_markup_in_answers_is_shown_as_text(filler: Filler) -> None:
    hostile = '"><script>alert(1)</script>'
    filler.fill(title=f"A title with {hostile}", org_name=hostile)
    pages = [filler.page(step) for step in ("you", "project", "review")]
    filler.submit()
    shown = [f"/applications/{filler.application.public_id}/", "/applications/"]
    pages += [filler.client.get(address).content.decode() for address in shown]
    assert all("<script>alert" not in page for page in pages)
    assert "&lt;script&gt;alert" in pages[-2]


# -- two windows ----------------------------------------------------------------------------


def test_a_stale_save_shows_both_versions_and_overwrites_nothing(begun: Filler) -> None:
    seen = begun.hidden("project")
    begun.save("project", title="From the first window")
    answer = begun.save("project", title="From the second window", seen=seen)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "From the first window" in page
    assert 'value="From the second window"' in page
    assert 'name="keep_saved" value="title"' in page
    assert begun.application.answers["title"] == "From the first window"


def test_after_the_warning_either_version_can_be_chosen(begun: Filler) -> None:
    seen = begun.hidden("project")
    begun.save("project", title="From the first window")
    begun.save("project", title="From the second window", seen=seen)
    begun.save("project", title="From the second window", keep_saved="title")
    assert begun.application.answers["title"] == "From the first window"
    begun.save("project", title="From the second window")
    assert begun.application.answers["title"] == "From the second window"


def test_two_windows_on_different_steps_do_not_get_in_each_others_way(begun: Filler) -> None:
    seen = begun.hidden("plan")
    begun.save("project")
    assert begun.save("plan", seen=seen).status_code == 302
    assert {"title", "storage_plan"} <= set(begun.application.answers)


def test_the_same_text_sent_twice_is_no_conflict(begun: Filler) -> None:
    seen = begun.hidden("project")
    assert begun.save("project", seen=seen).status_code == 302
    assert begun.save("project", seen=seen).status_code == 302
    assert begun.application.answers_version == 2  # the country was the first


def test_answers_changed_elsewhere_are_read_again_before_they_are_sent(filler: Filler) -> None:
    filler.fill()
    page = filler.page("review")
    filler.save("project", title="Changed in another window")
    version = page.split('name="seen_version" value="')[1].split('"')[0]
    answer = filler.client.post(
        filler.place("review"), {"seen": "", "seen_version": version, "go": "submit"}
    )
    assert answer.status_code == 409
    assert "Changed in another window" in answer.content.decode()
    assert filler.application.status == Status.DRAFT


def test_autosave_answers_in_json(begun: Filler) -> None:
    seen, headers = begun.hidden("project"), {"accept": "application/json"}
    sent = {"title": "Saved by itself", "seen": seen}
    saved = begun.client.post(begun.place("project"), sent, headers=headers)
    assert saved.json()["seen"] == begun.hidden("project")
    assert saved.json()["saved_at"].endswith("UTC")
    stale = {"title": "Something else", "seen": seen}
    answer = begun.client.post(begun.place("project"), stale, headers=headers)
    assert answer.status_code == 409
    assert answer.json()["code"] == "bad_transition"


def test_whoever_pastes_more_than_is_kept_is_told_at_once(begun: Filler) -> None:
    told = "Of “What will be studied and how” only the first 20,000 characters are kept"
    pasted = {"title": "A title of its own", "abstract": "word " * 20_000}
    sent = {**pasted, "seen": begun.hidden("project")}
    headers = {"accept": "application/json"}
    quiet = begun.client.post(begun.place("project"), sent, headers=headers)
    assert told in quiet.json()["warning"]
    assert begun.save("project", **pasted).status_code == 302
    assert told in begun.page("plan")
    assert begun.save("project", abstract="Short again").status_code == 302
    assert told not in begun.page("plan")


@pytest.mark.parametrize("mark", ["", "x", "0" * 16])
def test_a_forged_mark_overwrites_nothing(begun: Filler, mark: str) -> None:
    begun.save("project")
    assert begun.save("project", title="Not to be kept", seen=mark).status_code == 409
    assert begun.application.answers["title"] == begun.answers["title"]


def test_a_submitted_application_takes_no_answers(filler: Filler) -> None:
    filler.fill()
    filler.submit()
    for step in ("project", "review"):
        answer = filler.client.get(filler.place(step))
        assert answer["Location"] == f"/applications/{filler.application.public_id}/"
    assert filler.save("project", title="Too late for this", seen="x").status_code == 302
    assert filler.application.answers["title"] == filler.answers["title"]


def test_a_step_opens_in_few_queries(begun: Filler, django_assert_max_num_queries: Any) -> None:
    begun.fill()
    for step in ("you", "project", "plan", "terms", "review"):
        with django_assert_max_num_queries(12):
            begun.page(step)


def test_an_unknown_step_is_404(begun: Filler) -> None:
    assert begun.client.get(begun.place("nothing")).status_code == 404


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
    filler: Filler, reviewer: User
) -> None:
    filler.fill()
    filler.submit()
    application = filler.application
    application.return_for_changes(
        by=reviewer,
        reasons=["incomplete"],
        note="Name the cluster.",
        remarks={"storage_plan": "Which cluster?"},
    )
    [remark] = application.remarks.all()
    assert filler.client.get(ADDRESS)["Location"] == filler.place("plan")
    assert "Which cluster?" in filler.page("plan")
    said = {f"answer_{remark.pk}": "The group's own, in Oslo."}
    filler.save("plan", storage_plan=PLAN + "It is the group's cluster.", **said)
    review = filler.page("review")
    assert "It is the group" in review[review.index("<ins>") : review.rindex("</ins>")]
    assert "The group&#x27;s own, in Oslo." in review
    filler.submit()
    application.refresh_from_db()
    assert application.status == Status.SUBMITTED
    assert application.snapshots.count() == 2
    remark.refresh_from_db()
    assert remark.answer == "The group's own, in Oslo."
    assert remark.answered_at is not None


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
