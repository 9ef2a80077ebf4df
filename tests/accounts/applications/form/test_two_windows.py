"""Two windows with one draft do not overwrite each other."""

from typing import Any

import pytest

from accounts.applications.transition_table import Status
from tests.accounts.applications.form_filler import FormFiller

pytestmark = pytest.mark.one_database


def test_a_stale_save_shows_both_versions_and_overwrites_nothing(begun: FormFiller) -> None:
    seen = begun.hidden_value("project")
    begun.save("project", title="From the first window")
    response = begun.save("project", title="From the second window", seen=seen)
    page = response.content.decode()
    assert response.status_code == 409
    assert "From the first window" in page
    assert 'value="From the second window"' in page
    assert 'name="keep_saved" value="title"' in page
    assert begun.application.answers["title"] == "From the first window"


@pytest.mark.slow
def test_after_the_warning_either_version_can_be_chosen(begun: FormFiller) -> None:
    seen = begun.hidden_value("project")
    begun.save("project", title="From the first window")
    begun.save("project", title="From the second window", seen=seen)
    begun.save("project", title="From the second window", keep_saved="title")
    assert begun.application.answers["title"] == "From the first window"
    begun.save("project", title="From the second window")
    assert begun.application.answers["title"] == "From the second window"


def test_two_windows_on_different_steps_do_not_conflict(begun: FormFiller) -> None:
    seen = begun.hidden_value("plan")
    begun.save("project")
    assert begun.save("plan", seen=seen).status_code == 302
    assert {"title", "storage_plan"} <= set(begun.application.answers)


def test_the_same_text_sent_twice_is_no_conflict(begun: FormFiller) -> None:
    seen = begun.hidden_value("project")
    assert begun.save("project", seen=seen).status_code == 302
    assert begun.save("project", seen=seen).status_code == 302
    assert begun.application.answers_version == 2  # the country was the first


@pytest.mark.slow
def test_answers_changed_elsewhere_are_read_again_before_they_are_sent(filler: FormFiller) -> None:
    filler.fill_in()
    page = filler.page("review")
    filler.save("project", title="Changed in another window")
    version = page.split('name="seen_version" value="')[1].split('"')[0]
    response = filler.client.post(
        filler.url("review"), {"seen": "", "seen_version": version, "go": "submit"}
    )
    assert response.status_code == 409
    assert "Changed in another window" in response.content.decode()
    assert filler.application.status == Status.DRAFT


def test_autosave_answers_in_json(begun: FormFiller) -> None:
    seen, headers = begun.hidden_value("project"), {"accept": "application/json"}
    data = {"title": "Saved by itself", "seen": seen}
    saved = begun.client.post(begun.url("project"), data, headers=headers)
    assert saved.json()["seen"] == begun.hidden_value("project")
    assert saved.json()["saved_at"].endswith("UTC")
    stale = {"title": "Something else", "seen": seen}
    response = begun.client.post(begun.url("project"), stale, headers=headers)
    assert response.status_code == 409
    assert response.json()["code"] == "bad_transition"


@pytest.mark.slow
def test_a_text_over_the_limit_is_reported_at_once(begun: FormFiller) -> None:
    text = "Of “What will be studied and how” only the first 20,000 characters are saved"
    pasted = {"title": "A title of its own", "abstract": "word " * 20_000}
    data = {**pasted, "seen": begun.hidden_value("project")}
    headers = {"accept": "application/json"}
    autosave = begun.client.post(begun.url("project"), data, headers=headers)
    assert text in autosave.json()["warning"]
    assert begun.save("project", **pasted).status_code == 302
    assert text in begun.page("plan")
    assert begun.save("project", abstract="Short again").status_code == 302
    assert text not in begun.page("plan")


@pytest.mark.parametrize("mark", ["", "x", "0" * 16])
def test_a_forged_mark_overwrites_nothing(begun: FormFiller, mark: str) -> None:
    begun.save("project")
    assert begun.save("project", title="Not to be kept", seen=mark).status_code == 409
    assert begun.application.answers["title"] == begun.answers["title"]


@pytest.mark.slow
def test_a_submitted_application_takes_no_answers(filler: FormFiller) -> None:
    filler.fill_in()
    filler.submit()
    for step in ("project", "review"):
        response = filler.client.get(filler.url(step))
        assert response["Location"] == f"/applications/{filler.application.public_id}/"
    assert filler.save("project", title="Too late for this", seen="x").status_code == 302
    assert filler.application.answers["title"] == filler.answers["title"]


@pytest.mark.slow
def test_a_step_opens_in_few_queries(begun: FormFiller, django_assert_max_num_queries: Any) -> None:
    begun.fill_in()
    for step in ("you", "project", "plan", "terms", "review"):
        with django_assert_max_num_queries(12):
            begun.page(step)


def test_an_unknown_step_is_404(begun: FormFiller) -> None:
    assert begun.client.get(begun.url("nothing")).status_code == 404
