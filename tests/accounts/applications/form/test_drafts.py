"""A draft is kept as typed; leaving, signing in again or another alphabet loses no word."""

import pytest
from django.test import Client

from accounts.applications.state_machine import Status
from accounts.users.models import User
from tests.accounts.applications.form_filler import ADDRESS, Filler
from tests.support import factories

pytestmark = pytest.mark.one_database


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


def test_text_typed_while_the_session_ended_is_kept_through_signing_in(
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


def test_text_typed_before_signing_in_again_elsewhere_is_shown_and_not_saved(
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


def test_text_sent_without_the_owners_session_is_not_kept(
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
