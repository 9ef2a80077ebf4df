"""LINK_KEYS are rotated while old and new processes run together: docs/operating.md#keys."""

from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.settings import environment
from tests.support import factories
from weights.delivery import file_links, links
from weights.gate.caller import ANONYMOUS

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.usefixtures("store")]

OLD, NEW = f"k1:{'1a2b3c4d' * 8}", f"k2:{'5e6f7a8b' * 8}"
#: LINK_KEYS of each rolling restart in the recipe, in order.
STEPS = [OLD, f"{OLD},{NEW}", f"{NEW},{OLD}", NEW]


def use(settings: Settings, monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv("LINK_KEYS", keys)
    settings.LINK_KEYS = environment.key_ring("LINK_KEYS")


def fetched(client: Client, settings: Settings, link: str) -> int:
    return client.get(link.removeprefix(settings.PUBLIC_URL)).status_code


@pytest.fixture(autouse=True)
def _published(store: Path, open_tier: Tier) -> None:
    factories.published("acme/open", open_tier)


def issue(user: User) -> list[str]:
    """A file link and the folder of a checkpoint link, by the keys of now."""
    file = file_links.issue(ANONYMOUS, "acme/open", "main", "README.md")
    return [file, f"{links.issue_now(user, 'acme/open', 1)}README.md"]


@pytest.mark.requirement("UR-4")
@pytest.mark.parametrize("step", range(3))
def test_in_each_step_old_and_new_processes_accept_each_others_links(
    step: int,
    applicant: User,
    client: Client,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, after = STEPS[step : step + 2]
    for signer, verifier in ((before, after), (after, before)):
        use(settings, monkeypatch, signer)
        made = issue(applicant)
        use(settings, monkeypatch, verifier)
        assert [fetched(client, settings, link) for link in made] == [200, 200]


def test_a_key_that_signs_at_once_is_refused_by_processes_that_do_not_have_it(
    applicant: User,
    client: Client,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reason why the recipe has two phases."""
    use(settings, monkeypatch, f"{NEW},{OLD}")
    made = issue(applicant)
    use(settings, monkeypatch, OLD)
    assert 200 not in [fetched(client, settings, link) for link in made]
