"""Staff create, order, retire and restore families in the admin."""

import copy
import json

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed, TransitionRefused
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue import checkpoint_tiers
from weights.catalogue.models import Checkpoint, Family
from weights.catalogue.opt_family import entries
from weights.families import services as families

pytestmark = pytest.mark.django_db


@pytest.fixture
def family(db: None) -> Family:
    return Family.objects.create(slug="acme", name="Acme")


def _actions(family: Family) -> list[str]:
    return [one.action for one in AuditEvent.objects.about(family).order_by("pk")]


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.RELEASE_OWNER])
def test_staff_add_and_change_a_family_in_the_admin(client: Client, role: Role) -> None:
    client.force_login(factories.staff("staff", role))
    data = {"name": "Acme", "slug": "acme", "long_name": "", "developer": "", "position": 1}
    assert client.post(reverse("admin:weights_family_add"), data).status_code == 302
    family = Family.objects.get(slug="acme")
    page = reverse("admin:weights_family_change", args=[family.pk])
    assert client.post(page, {**data, "developer": "Acme Labs"}).status_code == 302
    family.refresh_from_db()
    assert family.developer == "Acme Labs"
    assert _actions(family) == ["family.made", "family.changed"]


def test_facts_are_edited_as_json_and_refused_without_a_source(
    client: Client, family: Family, administrator: User
) -> None:
    client.force_login(administrator)
    page = reverse("admin:weights_family_change", args=[family.pk])
    data = {"name": "Acme", "long_name": "", "developer": "", "position": 1}
    shipped = entries.family()["facts"]
    footprint = copy.deepcopy(shipped["footprint"])
    del footprint["inputs"]["pue"]["low"]["source"]
    for facts, message in (
        ({"footprint": footprint}, "inputs.pue.low.source: it is missing; add it"),
        ({"footprint": []}, "the footprint is not valid at its top: write an object"),
        ({"limitations": [{"text": "No."}]}, "at limitations.0.citation: it is missing"),
        ({"own": float("nan")}, "NaN or Infinity"),
        ({"own": "\x00"}, "cannot be stored"),
        ({"own": "\ud800"}, "cannot be stored"),
        ([], "must be an object"),
    ):
        response = client.post(page, {**data, "facts": json.dumps(facts)})
        assert response.status_code == 200
        assert message in response.text
        with pytest.raises(InvalidValue):
            families.save_family(Family(slug="x", name="X", facts=facts), by=administrator)
    response = client.post(page, {**data, "facts": '{"footprint": {\n"inputs" 1}}'})
    assert "Invalid JSON at line 2, column 10: Expecting" in response.text
    family.refresh_from_db()
    assert family.facts == {}
    facts = {name: shipped[name] for name in ("footprint", "openness", "limitations")}
    assert client.post(page, {**data, "facts": json.dumps(facts)}).status_code == 302
    family.refresh_from_db()
    assert family.facts == facts
    assert "\n &quot;footprint&quot;: {" in client.get(page).text


def test_a_family_is_edited_only_by_staff_of_all_its_tiers(
    family: Family, open_tier: Tier, gated_tier: Tier
) -> None:
    owner = factories.staff("of-one", Role.RELEASE_OWNER, open_tier)
    families.save_family(family, by=owner)
    Checkpoint.objects.create(org="acme", name="one", tier=gated_tier, family=family)
    with pytest.raises(NotAllowed):
        families.save_family(family, by=owner)
    with pytest.raises(NotAllowed):
        families.save_family(Family(slug="x", name="X"), by=factories.person())


def test_a_retired_family_keeps_its_checkpoints_and_takes_no_other(
    family: Family, open_tier: Tier, administrator: User, release_owner: User
) -> None:
    old = Checkpoint.objects.create(org="acme", name="old", tier=open_tier, family=family)
    new = Checkpoint.objects.create(org="acme", name="new", tier=open_tier)
    with pytest.raises(NotAllowed):
        families.retire(family, by=release_owner)
    families.retire(family, by=administrator)
    with pytest.raises(TransitionRefused):
        families.retire(family, by=administrator)
    new.family = family
    with pytest.raises(InvalidValue, match="is retired"):
        checkpoint_tiers.save_checkpoint(new, by=release_owner)
    old.title = "Still of the family"
    checkpoint_tiers.save_checkpoint(old, by=release_owner)
    families.unretire(family, by=administrator)
    checkpoint_tiers.save_checkpoint(new, by=release_owner)
    assert family.checkpoints.count() == 2
    assert _actions(family) == ["family.retired", "family.unretired"]


def test_the_admin_offers_a_retired_family_only_to_its_checkpoints(
    client: Client, family: Family, open_tier: Tier, administrator: User, release_owner: User
) -> None:
    old = Checkpoint.objects.create(org="acme", name="old", tier=open_tier, family=family)
    new = Checkpoint.objects.create(org="acme", name="new", tier=open_tier)
    client.force_login(administrator)
    data = {"action": "retire", "_selected_action": [family.pk], "confirmed": "1"}
    client.post(reverse("admin:weights_family_changelist"), data)
    client.force_login(release_owner)
    for checkpoint, offered in ((old, True), (new, False)):
        page = reverse("admin:weights_checkpoint_change", args=[checkpoint.pk])
        form = client.get(page).context["adminform"].form
        assert (family in form.fields["family"].queryset) == offered
