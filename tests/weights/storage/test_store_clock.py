"""A clock that differs from the store's is reported, and no URL is signed that it would refuse."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.tiers.models import Tier
from portal.health import clock
from tests.support import factories
from weights.errors import ClockSkewed
from weights.storage import blob_storage

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.usefixtures("s3_store")]

FILE = "/acme/small/resolve/main/model.safetensors"


@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_two_hours_off_is_named_by_health_and_by_the_code_of_downloads(
    client: Client, open_tier: Tier, hours: int
) -> None:
    factories.published("acme/small", open_tier)
    assert clock.check()[0] == "ok"
    with time_machine.travel(timezone.now() + timedelta(hours=hours), tick=True):
        state, text = clock.check()
        assert state == "alarm"
        assert "clock of this machine" in text
        assert "timedatectl" in text
        with pytest.raises(ClockSkewed):
            blob_storage().probe()
        refused = client.get(FILE)
        assert (refused.status_code, refused["X-Error-Code"]) == (503, "clock_skewed")
        assert "clock" in refused.json()["error"]
    # The clock was corrected: nothing has to be restarted.
    assert client.get(FILE).status_code == 302
    assert clock.check()[0] == "ok"


def test_a_clock_some_minutes_off_is_late_and_downloads_go_on(
    client: Client, open_tier: Tier
) -> None:
    factories.published("acme/small", open_tier)
    with time_machine.travel(timezone.now() + timedelta(minutes=5), tick=True):
        state, text = clock.check()
        assert state == "late"
        assert "s off the store's" in text
        assert client.get(FILE).status_code == 302


def test_a_store_in_a_folder_is_not_compared(store: object) -> None:
    assert clock.check() == ("ok", "not compared: the store is a folder")
