"""The actions of audit events: one grammar, and all of them are in docs/audit.md."""

import re
from itertools import chain

import pytest

from accounts.audit.event_tags import AccountsEvent, EventTag
from accounts.audit.models import AuditEvent
from portal.audit.event_tags import PortalEvent
from tests.support.servers.live import ROOT
from weights.event_tags import WeightsEvent

pytestmark = pytest.mark.one_database

TAGS = list[EventTag](chain(AccountsEvent, WeightsEvent, PortalEvent))


def test_every_action_has_the_form_and_a_name_of_its_own() -> None:
    for tag in TAGS:
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", tag)
        assert tag.name == tag.upper().replace(".", "_")
        assert len(tag) <= (AuditEvent._meta.get_field("action").max_length or 0)
    assert len(set(TAGS)) == len(TAGS)


def test_the_documentation_lists_every_action() -> None:
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    table = page[page.index("| About | Actions |") :].partition("\n\n")[0]
    assert sorted(documented(table)) == sorted(TAGS)


def documented(table: str) -> list[str]:
    """The actions of the table; one without an object has that of the action before it."""
    actions: list[str] = []
    for name in re.findall(r"`([^`]+)`", table):
        actions.append(name if "." in name else f"{actions[-1].partition('.')[0]}.{name}")
    return actions
