"""Drafts are stored as typed, in any alphabet, and survive sessions and sign-ins."""

import pytest
from django.test import Client

from accounts.applications.transition_table import Status
from accounts.users.models import User
from tests.accounts.applications.form_filler import ADDRESS, FormFiller
from tests.support import factories

pytestmark = pytest.mark.one_database


@pytest.mark.slow
def test_an_incomplete_step_is_saved(begun: FormFiller) -> None:
    assert begun.save("project", title="Tiny", abstract=None).status_code == 302
    page = begun.page("project")
    assert 'value="Tiny"' in page
    assert "at least 10" in page  # what is there is judged at once
    assert "This field is required" not in page  # what is not there yet is no fault
    assert "Still needed before you can submit" in begun.page("review")


@pytest.mark.slow
def test_returning_opens_the_first_incomplete_step(begun: FormFiller) -> None:
    begun.save("you")
    assert begun.client.get(ADDRESS)["Location"] == begun.url("project")
    begun.fill_in()
    assert begun.client.get(ADDRESS)["Location"] == begun.url("review")


def test_a_draft_is_the_same_in_another_browser_after_signing_out(
    begun: FormFiller, applicant: User
) -> None:
    begun.save("project", title="Typed in the first browser")
    begun.client.logout()
    assert begun.client.get(begun.url("project")).status_code == 302
    begun.client = Client()
    begun.client.force_login(applicant)
    assert "Typed in the first browser" in begun.page("project")


@pytest.mark.slow
def test_text_typed_after_the_session_ended_survives_signing_in(
    begun: FormFiller, applicant: User
) -> None:
    seen, place = begun.hidden_value("project"), begun.url("project")
    begun.client.logout()
    begun.client.get("/accounts/login/")
    response = begun.save("project", title="Typed after the session ended", seen=seen)
    assert response["Location"] == f"/accounts/login/?next={place}"
    assert "title" not in begun.application.answers
    fields = {"login": applicant.username, "password": factories.PASSWORD, "next": place}
    assert begun.client.post("/accounts/login/", fields)["Location"] == place
    assert begun.client.get(place)["Location"] == begun.url("plan")
    assert begun.application.answers["title"] == "Typed after the session ended"


def test_text_typed_before_signing_in_again_elsewhere_is_shown_and_not_saved(
    begun: FormFiller, applicant: User
) -> None:
    """A form with an outdated CSRF token, which might be another site's."""
    begun.save("project", title="What was saved before")
    place, seen = begun.url("project"), begun.hidden_value("project")
    window = Client(enforce_csrf_checks=True)
    window.force_login(applicant)
    data = {"title": "Typed <before>", "seen": seen}
    response = window.post(place, data)
    assert response.status_code == 403
    assert "This is not saved yet" in response.text
    assert 'value="Typed &lt;before&gt;"' in response.text
    assert "What was saved before" in response.text
    autosave = window.post(place, data, headers={"accept": "application/json"})
    assert (autosave.status_code, autosave.json()["code"]) == (403, "csrf_failed")
    assert begun.application.answers["title"] == "What was saved before"
    proof = window.cookies["csrftoken"].value
    assert window.post(place, {**data, "csrfmiddlewaretoken": proof}).status_code == 302
    assert begun.application.answers["title"] == "Typed <before>"


def test_another_site_leaves_no_text_for_who_signs_in_next(
    begun: FormFiller, applicant: User
) -> None:
    place = begun.url("project")
    window = Client(enforce_csrf_checks=True)
    response = window.post(place, {"title": "Forged", "seen": begun.hidden_value("project")})
    assert (response.status_code, "csrf_failed" in response.text) == (403, True)
    window.force_login(applicant)
    assert "Forged" not in window.get(place).text


def test_text_sent_without_the_owners_session_is_not_saved(
    begun: FormFiller, other_person: User, applicant: User
) -> None:
    place = begun.url("project")
    window = Client()
    window.post(place, {"title": "Not the applicant's", "seen": begun.hidden_value("project")})
    window.force_login(other_person)
    assert window.get(place).status_code == 404
    autosave = Client().post(place, {"title": "x"}, headers={"accept": "application/json"})
    assert (autosave.status_code, autosave.json()["code"]) == (401, "login_required")
    assert "title" not in begun.application.answers


def test_text_is_stored_normalised_and_trimmed(begun: FormFiller) -> None:
    begun.save("you", full_name="  Ame\u0301lie\u00a0Søren \0 ")
    assert begun.application.answers["full_name"] == "Amélie\u00a0Søren"


def test_no_text_poses_as_another_by_turning_its_direction(begun: FormFiller) -> None:
    begun.save("you", full_name="Ola \u202enoslO\u202d Nordmann", org_name="جامعة\u200f (Oslo)")
    assert begun.application.answers["full_name"] == "Ola noslO Nordmann"
    assert begun.application.answers["org_name"] == "جامعة\u200f (Oslo)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("王小明", "大規模言語モデルにおける外れ値特徴の研究"),
        ("فاطمة بنت محمد", "دراسة السمات الشاذة في النماذج اللغوية الكبيرة"),
    ],
    ids=["han", "arabic"],
)
def test_names_and_texts_of_any_script_are_taken(filler: FormFiller, name: str, title: str) -> None:
    filler.fill_in(full_name=name, title=title)
    assert 'dir="auto"' in filler.page("project")
    filler.submit()
    page = filler.client.get(f"/applications/{filler.application.public_id}/").content.decode()
    assert filler.application.status == Status.SUBMITTED
    assert name in page
    assert title in page
