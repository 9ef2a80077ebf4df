"""My access begins with what needs attention, and the navigation shows how many things do."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.my_access import attention
from weights.publishing.models import Revision
from weights.recalls.models import Recall

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

DAY = timedelta(days=1)


@pytest.fixture
def revision(gated_tier: Tier, store: Path) -> Revision:
    return factories.published("acme/gated", gated_tier)


def recall(revision: Revision, path: str = "model.safetensors") -> Recall:
    blob = revision.files.get(path=path).blob
    return Recall.objects.create(blob=blob, cause=Recall.Cause.CHECK, reason="Its bytes changed.")


def sentences(person: User) -> list[str]:
    return [item.sentence for item in attention.items_for(person)]


def test_somebody_with_nothing_to_do_sees_neither_list_nor_number(
    client: Client, applicant: User, gated_tier: Tier
) -> None:
    factories.grant(applicant, gated_tier, timezone.now() + 100 * DAY)
    client.force_login(applicant)
    page = client.get("/access/").text
    assert "Needs your attention" not in page


def test_a_returned_application_is_listed_with_its_deadline(
    client: Client, applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    application = factories.returned(applicant, gated_tier, reviewer)
    [item] = attention.items_for(applicant)
    assert "was returned" in item.sentence
    assert str(application.public_id) in item.url
    assert item.by is not None
    left = item.by - timezone.now()
    assert left.days in {settings.RETURN_SILENCE_DAYS - 1, settings.RETURN_SILENCE_DAYS}
    client.force_login(applicant)
    page = client.get("/access/").text
    assert page.index("Needs your attention") < page.index("Your access")
    assert 'title="Needs your attention">1</span>' in client.get("/models").text


def test_a_recall_of_bytes_that_the_person_fetched_is_listed_until_a_month_after_its_repair(
    applicant: User, revision: Revision
) -> None:
    factories.grant(applicant, revision.checkpoint.tier, timezone.now() + 100 * DAY)
    other = factories.person()
    factories.downloaded(applicant, revision)
    opened = recall(revision)
    recall(revision, "config.json")
    assert sentences(applicant) == [
        "model.safetensors of acme/gated, which you downloaded, was recalled."
    ]
    assert sentences(other) == []
    Recall.objects.filter(pk=opened.pk).update(
        state=Recall.State.REPAIRED, repaired_at=timezone.now() - 29 * DAY
    )
    assert len(sentences(applicant)) == 1
    Recall.objects.update(repaired_at=timezone.now() - 31 * DAY)
    Recall.objects.update(state=Recall.State.REPAIRED)
    assert sentences(applicant) == []


def test_a_grant_and_a_token_are_listed_two_weeks_before_they_end(
    applicant: User, gated_tier: Tier
) -> None:
    grant = factories.grant(applicant, gated_tier, timezone.now() + 15 * DAY)
    factories.token(applicant, "read")
    assert sentences(applicant) == []
    type(grant).objects.update(expires_at=timezone.now() + 13 * DAY)
    ApiToken.objects.update(expires_at=timezone.now() + 13 * DAY)
    name = ApiToken.objects.get().name
    access, token = sentences(applicant)
    assert access.startswith("Your access to opt-175b ends on ")
    assert access.endswith(". You can apply again after that.")
    assert token.startswith(f"Your token {name} ends on ")


def test_a_new_licence_text_is_listed_and_what_it_does_to_the_access(
    applicant: User, gated_tier: Tier
) -> None:
    factories.grant(applicant, gated_tier, timezone.now() + 100 * DAY)
    text = gated_tier.accepted_licence.versions.create(version="2", text="Other terms.")
    [item] = attention.items_for(applicant)
    assert item.sentence == "Version 2 of the licence of opt-175b is in force."
    assert item.by is not None
    type(text).objects.filter(pk=text.pk).update(notice_days=0)
    [item] = attention.items_for(applicant)
    assert item.sentence.endswith("Your access is suspended until you accept it.")


def test_a_recall_of_a_checkpoint_that_became_private_is_not_named(
    applicant: User, revision: Revision
) -> None:
    factories.downloaded(applicant, revision)
    recall(revision)
    type(revision.checkpoint).objects.update(private=True)
    assert sentences(applicant) == []


def test_the_number_costs_no_query_within_a_minute(client: Client, applicant: User) -> None:
    client.force_login(applicant)
    cache.clear()

    def queries() -> int:
        with CaptureQueriesContext(connection) as context:
            client.get("/keys/")
        return len(context)

    first, second = queries(), queries()
    assert second < first
    assert first - second <= 6


def test_the_list_costs_as_many_queries_for_many_items_as_for_one(
    applicant: User, revision: Revision, gated_tier: Tier
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as context:
            attention.items_for(applicant)
        return len(context)

    factories.downloaded(applicant, revision)
    recall(revision)
    one = queries()
    for path in ("config.json", "README.md"):
        factories.downloaded(applicant, revision, path)
        recall(revision, path)
    for _ in range(5):
        factories.token(applicant, "read")
    ApiToken.objects.update(expires_at=timezone.now() + DAY)
    assert queries() == one
    assert len(attention.items_for(applicant)) == 8
