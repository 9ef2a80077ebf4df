"""Creating a checkpoint, and editing its card, title and facts."""

import pytest
from django.test import Client

from accounts.errors import InvalidValue
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.owner_pages.conftest import BASE
from tests.weights.publishing.drafts.making import CARD, committed, verify_all
from weights.catalogue.models import Checkpoint
from weights.owner_pages import card_text
from weights.publishing.drafts import queries
from weights.publishing.drafts.commits import AddFile
from weights.publishing.models import Revision
from weights.storage import blob_storage

pytestmark = pytest.mark.django_db
NEW = "/my-checkpoints/new/"


def _card_of(revision: Revision | None) -> str:
    assert revision is not None
    file = revision.files.get(path="README.md")
    return blob_storage().excerpt(file.sha256, 10_000).decode()


def _head() -> Revision | None:
    return queries.branch_head(Checkpoint.objects.get(name="opt").pk, "main")


# -- create -------------------------------------------------------------------------------------


def test_a_checkpoint_starts_as_a_private_draft_with_its_card_and_licence(
    owner: Client, open_tier: Tier, store: object
) -> None:
    data = {"org": "lab", "name": "opt", "tier": open_tier.slug, "licence": "apache-2.0"}
    done = owner.post(NEW, {**data, "card": "# OPT\r\n\r\nA model."}, follow=True)
    assert done.redirect_chain == [(BASE, 302)]
    assert "Created lab/opt as a draft" in done.text
    made = Checkpoint.objects.get()
    assert (made.private, made.published_at, made.tier) == (True, None, open_tier)
    assert _card_of(_head()) == "---\nlicense: apache-2.0\n---\n\n# OPT\n\nA model.\n"
    assert Client().get("/lab/opt").status_code == 404


def test_a_preview_and_a_fault_create_nothing_and_keep_what_was_typed(
    owner: Client, open_tier: Tier, store: object
) -> None:
    data = {"org": "lab", "name": "opt", "tier": open_tier.slug, "card": "# Typed *text*"}
    page = owner.post(NEW, {**data, "preview": "1"})
    assert "nothing is saved" in page.text
    assert "<em>text</em>" in page.text
    assert "# Typed *text*" in page.text
    for fault, message in (
        ({"name": "a b"}, "is not a repository name"),
        ({"org": "admin"}, "is a path of the portal"),
        ({"tier": "none"}, "Select a valid choice"),
        ({"licence": "other"}, "add license: other"),
        ({"card": "---\nlicense: mit\n---\n", "licence": "bsd"}, "The card states the licence mit"),
        ({"card": "---\na: [\n---\n"}, "front matter could not be read"),
        ({"card": "a\x00b"}, "Null characters are not allowed"),
    ):
        refused = owner.post(NEW, {**data, **fault})
        assert refused.status_code == 422, fault
        assert message in refused.text, fault
    assert not Checkpoint.objects.exists()


@pytest.mark.parametrize("place", ["licence", "card"])
def test_a_licence_that_the_gated_tier_forbids_is_refused_beside_its_field(
    owner: Client, gated_tier: Tier, open_tier: Tier, store: object, place: str
) -> None:
    text = {"licence": "apache-2.0", "card": "---\nlicense: apache-2.0\n---\n"}[place]
    data = {"org": "lab", "name": "opt", "tier": gated_tier.slug, place: text}
    refused = owner.post(NEW, data)
    assert refused.status_code == 422
    [message] = refused.context["form"].errors[place]
    assert f"but tier {gated_tier.slug} is under" in message
    assert "or choose another tier." in message
    assert not Checkpoint.objects.exists()
    assert owner.post(NEW, data | {"tier": open_tier.slug}).status_code == 302


def test_a_long_name_is_refused_and_not_cut(owner: Client, gated_tier: Tier) -> None:
    fields = owner.get(NEW).context["form"]
    assert "maxlength" not in f"{fields['org']}{fields['name']}"
    refused = owner.post(NEW, {"org": "lab", "name": "a" * 120, "tier": gated_tier.slug})
    assert "has 120" in refused.context["form"].errors["name"][0]


def test_a_name_is_created_once(owner: Client, checkpoint: Checkpoint, gated_tier: Tier) -> None:
    data = {"name": "opt", "tier": gated_tier.slug}
    assert "already" in owner.post(NEW, {**data, "org": "lab"}).text
    assert "is taken" in owner.post(NEW, {**data, "org": "LAB"}).text
    assert Checkpoint.objects.count() == 1


def test_only_tiers_of_the_owner_that_are_in_use_are_offered(
    client: Client, gated_tier: Tier, open_tier: Tier, store: object
) -> None:
    client.force_login(factories.staff("of-one", Role.RELEASE_OWNER, gated_tier))
    page = client.get(NEW).text
    assert f'value="{gated_tier.slug}"' in page
    assert f'value="{open_tier.slug}"' not in page
    data = {"org": "lab", "name": "opt", "tier": open_tier.slug}
    assert client.post(NEW, data).status_code == 422
    Tier.objects.filter(pk=gated_tier.pk).update(retired_at="2026-01-01T00:00Z")
    assert "None of your tiers is in use" in client.get(NEW).text


@pytest.mark.parametrize(
    ("card", "licence", "expected"),
    [
        ("# A\n", "", "# A\n"),
        ("# A\n", "mit", "---\nlicense: mit\n---\n\n# A\n"),
        ("---\ntags: [x]\n---\n# A\n", "mit", "---\nlicense: mit\ntags: [x]\n---\n# A\n"),
        ("---\nlicense: mit\n---\n", "mit", "---\nlicense: mit\n---\n"),
    ],
)
def test_a_licence_is_stated_in_the_front_matter(card: str, licence: str, expected: str) -> None:
    assert card_text.with_licence(card, licence) == expected


def test_a_card_states_one_licence() -> None:
    with pytest.raises(InvalidValue, match="in one place"):
        card_text.with_licence("---\nlicense: mit\n---\n", "bsd")


# -- the card -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_card_is_edited_as_a_draft_commit(owner: Client, draft: Revision) -> None:
    form = owner.get(f"{BASE}card/").context["form"]
    assert form.initial == {"card": "# A model\n", "parent": draft.sha}
    preview = owner.post(
        f"{BASE}card/", {"card": "# Edited $x$", "parent": draft.sha, "preview": "1"}
    )
    assert "<math" in preview.text
    assert _head() == draft
    data = {"card": "# Edited\r\ntext", "message": "Name the limits", "parent": draft.sha}
    saved = owner.post(f"{BASE}card/", data, follow=True).text
    head = _head()
    assert head is not None
    assert (head.parent, head.state, head.message) == (draft, "draft", "Name the limits")
    assert _card_of(head) == "# Edited\ntext\n"
    assert head.files.count() == 2
    assert f"the draft {head.sha[:12]}" in saved


def test_a_card_that_is_being_verified_waits_and_a_quarantined_one_says_why(
    owner: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    draft = committed(checkpoint, release_owner, CARD)
    page = owner.get(f"{BASE}card/").text
    assert "It is being verified" in page
    assert "data-live" in page
    verify_all()
    draft.files.get().blob.transition("hold", quarantine_reason="Names a person.", held=True)
    assert "Names a person." in owner.get(f"{BASE}card/").text


def test_a_card_that_is_no_text_is_not_edited(
    owner: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    committed(checkpoint, release_owner, AddFile("README.md", b"\xff\xfe"))
    verify_all()
    assert "not a text in UTF-8" in owner.get(f"{BASE}card/").text


@pytest.mark.slow
def test_two_writers_of_a_card_lose_nothing(
    owner: Client, draft: Revision, release_owner: User
) -> None:
    committed(draft.checkpoint, release_owner, AddFile("README.md", b"# Of a colleague\n"))
    verify_all()
    data = {"card": "# Mine", "parent": draft.sha}
    conflict = owner.post(f"{BASE}card/", data)
    assert conflict.status_code == 409
    assert "# Mine" in conflict.text
    assert "# Of a colleague" in conflict.text
    head = _head()
    assert head is not None
    assert _card_of(head) == "# Of a colleague\n"
    parent = conflict.context["form"]["parent"].value()
    assert parent == head.sha
    owner.post(f"{BASE}card/", {"card": "# Both", "parent": parent})
    assert _card_of(_head()) == "# Both\n"


def test_the_same_card_is_no_commit(owner: Client, draft: Revision) -> None:
    same = owner.post(f"{BASE}card/", {"card": "# A model\n", "parent": draft.sha}, follow=True)
    assert "nothing was saved" in same.text
    assert _head() == draft


# -- title and facts ----------------------------------------------------------------------------


def _rows(**row: str) -> dict[str, str]:
    data = {"facts-TOTAL_FORMS": "1", "facts-INITIAL_FORMS": "0"}
    return data | {f"facts-0-{name}": value for name, value in row.items()}


def test_title_and_facts_are_previewed_and_saved(owner: Client, checkpoint: Checkpoint) -> None:
    fact = _rows(label="Training days", value="33", unit="", source="https://example.org/paper")
    data = {"title": "OPT, small", "summary": "A model.", **fact}
    preview = owner.post(f"{BASE}facts/", {**data, "preview": "1"}).text
    assert "Training days" in preview
    assert "nothing is saved" in preview
    assert Checkpoint.objects.get().title == ""
    owner.post(f"{BASE}facts/", data)
    stored = Checkpoint.objects.get()
    assert (stored.title, stored.summary) == ("OPT, small", "A model.")
    assert stored.facts["training_days"]["value"] == 33


def test_a_fact_without_a_source_saves_nothing(owner: Client, checkpoint: Checkpoint) -> None:
    refused = owner.post(
        f"{BASE}facts/", {"title": "New", **_rows(label="Days", value="33", unit="", source="x")}
    )
    assert refused.status_code == 422
    assert "Nothing was saved" in refused.text
    assert Checkpoint.objects.get().title == ""


# -- delete -------------------------------------------------------------------------------------


def test_a_checkpoint_that_was_never_published_is_deleted_after_a_question(
    owner: Client, draft: Revision
) -> None:
    assert "Delete this checkpoint?" in owner.get(f"{BASE}delete/").text
    assert Checkpoint.objects.exists()
    done = owner.post(f"{BASE}delete/", follow=True)
    assert done.redirect_chain == [("/my-checkpoints/", 302)]
    assert not Checkpoint.objects.exists()


def test_a_published_checkpoint_is_never_deleted(
    owner: Client, gated_tier: Tier, store: object
) -> None:
    factories.published("lab/opt", gated_tier)
    assert "cannot be deleted" in owner.post(f"{BASE}delete/").text
    Checkpoint.objects.update(published_at=None)  # an entry of the catalogue, without files
    assert "cannot be deleted" in owner.post(f"{BASE}delete/").text
    assert Checkpoint.objects.exists()
