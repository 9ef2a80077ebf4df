"""Facts as rows in the admin, the preview of title and card, and the precedence of sources."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from accounts.users.models import User
from tests.accounts.tiers.test_history import form_of
from tests.support import factories
from weights.catalogue import facts, measured
from weights.catalogue.models import Checkpoint, Family, MeasuredFacts

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.usefixtures("store")]

STORED = {
    "layers": {"value": 12, "source": "paper, Table 1", "note": "of the decoder"},
    "carbon": {"value": "75 tonnes", "source": "paper, section 6"},
}
URL = "https://example.org/paper"
GOOD = {"label": "Training days", "value": "33", "unit": "", "source": URL}


@pytest.fixture
def checkpoint(db: None) -> Checkpoint:
    family = Family.objects.create(slug="f", name="F", facts={"sources": {"paper": "The paper"}})
    found = factories.published("acme/weights").checkpoint
    Checkpoint.objects.filter(pk=found.pk).update(facts=STORED, family=family)
    return Checkpoint.objects.get(pk=found.pk)


def _page(checkpoint: Checkpoint) -> str:
    return reverse("admin:weights_checkpoint_change", args=[checkpoint.pk])


def _rows(client: Client, checkpoint: Checkpoint, *added: dict[str, str]) -> dict[str, Any]:
    """The POST data of an unchanged form with further rows of facts."""
    form = client.get(_page(checkpoint)).context["adminform"].form
    data = form_of(client, _page(checkpoint))
    rows = [*[one.initial for one in form.rows.initial_forms], *added]
    data |= {"facts-TOTAL_FORMS": len(rows), "facts-INITIAL_FORMS": len(rows) - len(added)}
    for number, row in enumerate(rows):
        data |= {f"facts-{number}-{name}": value for name, value in row.items()}
    return data


def _stored(checkpoint: Checkpoint) -> dict[str, Any]:
    found: dict[str, Any] = Checkpoint.objects.get(pk=checkpoint.pk).facts
    return found


# -- rows ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_rows_that_nobody_changes_store_the_same_facts(
    client: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    client.force_login(release_owner)
    assert '<textarea name="facts"' not in client.get(_page(checkpoint)).text
    assert client.post(_page(checkpoint), _rows(client, checkpoint)).status_code == 302
    assert _stored(checkpoint) == STORED


@pytest.mark.slow
def test_a_row_is_added_changed_and_removed(
    client: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    client.force_login(release_owner)
    data = _rows(client, checkpoint, GOOD)
    data |= {"facts-0-value": "1,2 00", "facts-1-DELETE": "on"}
    assert client.post(_page(checkpoint), data).status_code == 302
    assert _stored(checkpoint) == {
        "layers": {"value": 1200, "source": "paper, Table 1"},
        "training_days": {"value": 33, "source": URL, "label": "Training days"},
    }
    page = client.get("/acme/weights").text
    assert "Training days" in page
    assert f'href="{URL}"' in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"value": "many", "unit": "tokens"}, "must be a number of tokens"),
        ({"value": "1.5", "unit": "bytes"}, "must be a whole number of bytes"),
        ({"value": "soon", "unit": "day"}, "must be a day, such as 2022-05-03"),
        ({"value": "9" * 501}, "at most 500 characters"),
        ({"source": "a friend"}, "Enter a URL, or begin with one of: computed, paper."),
        ({"source": "javascript:alert(1)"}, "Enter a URL"),
        ({"source": ""}, "This field is required"),
        ({"label": ""}, "This field is required"),
        ({"label": "layers"}, "Two rows have the label layers."),
        ({"label": "a\0b"}, "Null characters are not allowed"),
        ({"unit": "miles"}, "Select a valid choice"),
    ],
)
def test_a_wrong_row_is_explained_and_nothing_is_saved(
    client: Client,
    checkpoint: Checkpoint,
    release_owner: User,
    changes: dict[str, str],
    problem: str,
) -> None:
    client.force_login(release_owner)
    data = _rows(client, checkpoint, GOOD | changes) | {"title": "Changed"}
    answer = client.post(_page(checkpoint), data)
    assert answer.status_code == 200
    assert escape(problem) in answer.text
    assert "Correct the facts below" in answer.text
    assert _stored(checkpoint) == STORED
    assert Checkpoint.objects.get(pk=checkpoint.pk).title == ""


@pytest.mark.slow
def test_a_form_without_rows_leaves_the_facts_alone(
    client: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    client.force_login(release_owner)
    data = form_of(client, _page(checkpoint)) | {"title": "New title"}
    assert client.post(_page(checkpoint), data).status_code == 302
    assert Checkpoint.objects.get(pk=checkpoint.pk).title == "New title"
    assert _stored(checkpoint) == STORED


def test_an_auditor_reads_the_facts_and_has_no_fields(
    client: Client, checkpoint: Checkpoint, auditor: User
) -> None:
    client.force_login(auditor)
    page = client.get(_page(checkpoint)).text
    assert "75 tonnes" in page
    assert 'name="facts-0-value"' not in page
    assert client.post(_page(checkpoint), {"facts-TOTAL_FORMS": "0"}).status_code == 403


def test_a_unit_is_shown_behind_its_number() -> None:
    energy = {"energy": {"label": "Energy", "value": 324000, "source": URL, "unit": "kWh"}}
    facts.validate(energy)
    assert facts.displayed(energy)[0].text == "324,000 kWh"


# -- preview ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_preview_shows_title_and_card_and_saves_nothing(
    client: Client, checkpoint: Checkpoint, release_owner: User, auditor: User
) -> None:
    page = reverse("admin:weights_checkpoint_preview", args=[checkpoint.pk])
    card = "---\ntags: [x]\n---\n# Head\n\n<script>alert(1)</script>\n\n**bold** \0"
    data = {"title": "\u202eTitle", "card": card}
    client.force_login(release_owner)
    assert page in client.get(_page(checkpoint)).text
    shown = client.post(page, data).text
    assert "<strong>bold</strong>" in shown
    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert "tags: [x]" not in shown
    assert "Pages show the README.md of the published revision" in shown
    factories.published("acme/weights", files={"config.json": b"{}\n"})
    assert "Pages show the README.md" not in client.post(page, data).text
    assert client.get(page).status_code == 403
    assert Checkpoint.objects.get(pk=checkpoint.pk).card == ""
    client.force_login(auditor)
    assert client.post(page, data).status_code == 403


# -- which source wins --------------------------------------------------------------------------


def test_counted_facts_win_over_those_of_staff_on_the_page(
    client: Client, checkpoint: Checkpoint
) -> None:
    revision = checkpoint.revisions.get()
    Checkpoint.objects.filter(pk=checkpoint.pk).update(parameters=5)
    MeasuredFacts.objects.filter(revision=revision).delete()
    counted = MeasuredFacts.objects.create(
        revision=revision,
        counted_from="safetensors",
        parameters=7_000_000,
        architecture={"layers": 13},
    )
    checkpoint.refresh_from_db()
    assert measured.parameters_of(checkpoint, counted) == 7_000_000
    assert measured.parameters_of(checkpoint, None) == 5
    page = " ".join(client.get("/acme/weights").text.split())
    assert "<dt>Layers</dt> <dd> 13" in page
    assert "declared: 12 (paper, Table 1)" in page
    assert 'title="7,000,000"' in page
