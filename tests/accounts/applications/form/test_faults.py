"""Validation on submission: errors appear at their field, and typed text is kept."""

import pytest
from django.test import Client

from accounts.applications.transition_table import Status
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.form_filler import PLAN, FormFiller
from tests.support import factories

pytestmark = pytest.mark.one_database


FAULTS = [
    ("full_name", "ab", "at least 3"),
    ("full_name", "123", "at least one letter"),
    ("full_name", "me@example.org", "not an address"),
    ("full_name", "https://example.org", "not an address"),
    ("work_email", "somebody@else.example", "Choose one of the options"),
    ("org_name", "x", "at least 2"),
    ("org_name", "none", "choose Independent"),
    ("org_type", "company", "Choose one of the options"),
    ("position", "", "required"),
    ("country", "XX", "Choose one of the options"),
    ("profile_url", "", "required"),
    ("profile_url", "http://example.org/me", "https://"),
    ("profile_url", "https://orcid.org/0000-0002-1825-0098", "not a valid ORCID iD"),
    ("profile_url", "javascript:alert(1)", "URL"),
    ("title", "Too short", "at least 10"),
    ("title", "x" * 201, "at most 200"),
    ("abstract", "Too short", "at least 150"),
    ("abstract", "x" * 5001, "at most 5000"),
    ("commercial", "maybe", "Choose one of the options"),
    ("storage_plan", "On a disk", "at least 80"),
    ("noncommercial", "", "required"),
    ("licence_accept", "", "required"),
    ("licence_sha256", "0" * 64, "read the new text"),
]


@pytest.mark.one_database
@pytest.mark.parametrize(("key", "value", "message"), FAULTS)
def test_a_fault_is_named_on_the_review_and_at_its_field_and_nothing_typed_is_lost(
    filler: FormFiller, key: str, value: str, message: str
) -> None:
    filler.store_draft(**{key: value or None})
    response = filler.submit()
    page = response.content.decode()
    assert response.status_code == 422
    assert message in page
    assert 'id="error-summary"' in page
    field = "licence_accept" if key == "licence_sha256" else key
    step = next(step for step in ("you", "project", "plan", "terms") if filler_has(step, field))
    assert f"{filler.url(step)}?check#field-{field}" in page
    assert message in filler.page(step, "?check")
    assert PLAN.strip() in page or key == "storage_plan"
    application = filler.application
    assert application.status == Status.DRAFT
    assert application.answers.get(key, "") == value


def filler_has(step: str, key: str) -> bool:
    from accounts.applications.questions import STEPS

    return key in STEPS[step][1]


def test_the_help_text_is_no_abstract(filler: FormFiller) -> None:
    from accounts.applications.forms import ABSTRACT_HELP

    filler.store_draft(abstract=ABSTRACT_HELP + " Indeed.")
    assert "repeats the help text" in filler.submit().content.decode()


@pytest.mark.slow
def test_a_commercial_interest_must_be_explained(filler: FormFiller) -> None:
    filler.fill_in(commercial="yes")
    assert "Describe the commercial interest" in filler.submit().content.decode()
    message = "A spin-off may license the method later on. " * 2
    filler.save("project", commercial="yes", commercial_detail=message)
    filler.submit()
    assert filler.application.status == Status.SUBMITTED


@pytest.mark.slow
def test_a_free_mail_address_is_accepted_with_a_profile_and_reported(
    signed_in: Client, gated_tier: Tier
) -> None:
    person = factories.person(email="ada@gmail.com")
    signed_in.force_login(person)
    filler = FormFiller(signed_in, gated_tier, person)
    filler.store_draft(profile_url=None)
    page = filler.submit().content.decode()
    assert "required if you use a free e-mail service" in page
    filler.save("you")
    assert "Anyone can get an address like" in filler.page("review")
    filler.submit()
    assert filler.application.status == Status.SUBMITTED


def test_a_linked_orcid_replaces_the_profile(applicant: User, gated_tier: Tier) -> None:
    from accounts.applications.forms import ApplicationForm

    fields = {"person": applicant, "tier": gated_tier, "licence": factories.in_force(gated_tier)}
    bare = ApplicationForm({}, **fields)  # type: ignore[arg-type]
    linked = ApplicationForm({}, linked_orcid="0000-0002-1825-0097", **fields)  # type: ignore[arg-type]
    assert "profile_url" in bare.errors
    assert "profile_url" not in linked.errors


@pytest.mark.slow
def test_findings_of_the_terms_stand_at_the_answer_and_on_the_review(
    begun: FormFiller, gated_tier: Tier
) -> None:
    gated_tier.duo_codes = ["DUO:0000042", "DUO:0000018", "DUO:0000025"]
    gated_tier.save()
    begun.save("you", org_type="industry_laboratory")
    begun.save("project", commercial="yes", commercial_detail="A spin-off may follow. " * 4)
    message = "only for not-for-profit organisations"
    assert message in begun.page("you")
    assert message in begun.page("review")
    assert "does not rule out an application" in begun.page("review")
    assert "delete the weights when it ends" in begun.page("terms")
    begun.fill_in(org_type="industry_laboratory")
    begun.submit()  # it warns and never decides
    assert begun.application.status == Status.SUBMITTED


@pytest.mark.slow
def test_a_new_licence_text_must_be_read_first_and_its_changes_are_shown(
    filler: FormFiller, gated_tier: Tier
) -> None:
    filler.fill_in()
    newer = gated_tier.accepted_licence.versions.create(
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


@pytest.mark.slow
def test_markup_in_answers_is_shown_as_text(filler: FormFiller) -> None:
    hostile = '"><script>alert(1)</script>'
    filler.fill_in(title=f"A title with {hostile}", org_name=hostile)
    pages = [filler.page(step) for step in ("you", "project", "review")]
    filler.submit()
    shown = [f"/applications/{filler.application.public_id}/", "/applications/"]
    pages += [filler.client.get(address).content.decode() for address in shown]
    assert all("<script>alert" not in page for page in pages)
    assert "&lt;script&gt;alert" in pages[-2]


@pytest.mark.slow
def test_next_names_the_invalid_answers_of_the_step_that_it_leaves(filler: FormFiller) -> None:
    filler.begin()
    saved = filler.save("project", title="Too short", abstract="", go="next")
    assert saved["Location"] == filler.url("plan")
    page = filler.page("plan")
    assert "is saved, but incomplete: “" in page
    assert "is not valid yet; 1 answer is missing" in page
    assert f'href="{filler.url("project")}?check=1"' in page
    assert "at least 10" in filler.page("project", "?check=1")
    filler.save("project")
    assert "incomplete" not in filler.page("plan")


@pytest.mark.slow
def test_back_and_jumps_say_nothing_of_the_step_that_they_leave(filler: FormFiller) -> None:
    filler.begin()
    filler.save("project", title="Too short", go="you")
    assert "incomplete" not in filler.page("you")
