"""The number of SQL statements of the routes that scripts call most, over HTTP and warm."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.api_tokens.models import ApiToken
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint
from weights.hub_api import page_cache
from weights.publishing.models import File, Revision

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

FILE = "/acme/gated/resolve/main/shard-0.pt"
TREE = "/api/models/acme/gated/tree/main"
Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def _empty_page_cache() -> Iterator[None]:
    page_cache.tree_pages.clear()
    yield
    page_cache.tree_pages.clear()


@pytest.fixture
def gated(gated_tier: Tier, store: object) -> Revision:
    """A gated checkpoint of 992 files."""
    revision = factories.published("acme/gated", gated_tier, {"shard-0.pt": b"\0pt"})
    file = revision.files.get()
    File.objects.bulk_create(
        File(revision=revision, path=f"shard-{n}.pt", blob=file.blob, lfs=True, git_oid="0" * 40)
        for n in range(1, 992)
    )
    return revision


@pytest.fixture
def ask(client: Client, gated: Revision, applicant: User, gated_tier: Tier) -> Ask:
    """Sends requests of an entitled user, with the raw request target as gunicorn does."""
    factories.grant(applicant, gated_tier)
    headers = {"Authorization": f"Bearer {factories.token(applicant, 'read-gated')}"}

    def send(method: str, path: str, *, authenticated: bool = True) -> Any:
        call = getattr(client, method)
        return call(path, headers=headers if authenticated else {}, RAW_URI=path)

    send("head", FILE)  # the first use of a token in a minute writes a row
    return send


def test_a_head_of_a_file_is_one_statement(ask: Ask, django_assert_num_queries: Ask) -> None:
    with django_assert_num_queries(1):
        assert ask("head", FILE).status_code == 200
    with django_assert_num_queries(1):
        assert ask("head", FILE, authenticated=False).status_code == 401


def test_a_get_writes_the_ledger_and_no_more(ask: Ask, django_assert_num_queries: Ask) -> None:
    with django_assert_num_queries(2):
        answer = ask("get", FILE)
        assert b"".join(answer.streaming_content) == b"\0pt"


@pytest.mark.parametrize("query", ["", "?recursive=true"])
def test_a_listing_of_992_files_is_one_statement(
    ask: Ask, query: str, django_assert_num_queries: Ask
) -> None:
    first = ask("get", TREE + query)
    with django_assert_num_queries(1):
        warm = ask("get", TREE + query)
    assert warm.content == first.content
    assert len(warm.json()) == 992
    with django_assert_num_queries(1):
        assert ask("get", TREE + query, authenticated=False).content == first.content


def test_a_cached_listing_is_still_subject_to_access_checks(ask: Ask, gated: Revision) -> None:
    assert ask("get", TREE).status_code == 200
    Checkpoint.objects.update(private=True)
    assert ask("get", TREE).status_code == 404
    Checkpoint.objects.update(private=False)
    ApiToken.objects.update(revoked_at=gated.created_at)
    assert ask("get", TREE).status_code == 401
    Revision.objects.update(state=Revision.State.WITHDRAWN)
    assert ask("get", TREE, authenticated=False).status_code == 410


def test_cached_listings_are_bounded_by_their_bytes() -> None:
    cache = page_cache.PageCache(max_bytes=100)
    rendered: list[int] = []

    def page(number: int, size: int = 20) -> page_cache.Page:
        def render() -> page_cache.Page:
            rendered.append(number)
            return page_cache.Page(b"x" * size, has_next=False)

        return cache.get_or_render(number, render)

    for number in range(8):
        page(number)
    assert cache.size == 100
    page(7)
    page(3)
    assert rendered == list(range(8))
    page(0)
    assert rendered[-1] == 0
    page(99, size=26)  # more than a quarter of all
    page(99, size=26)
    assert rendered[-2:] == [99, 99]
