"""On PostgreSQL, no frequent request scans a whole large table."""

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.api_tokens.models import ApiToken
from accounts.audit.merkle_log import proof_documents, sealed_tables
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.accounts.audit.merkle_log import keys
from tests.support import factories
from tests.support.servers.live import ROOT
from weights import gate
from weights.catalogue.listing import rows
from weights.catalogue.models import Checkpoint
from weights.gate.caller import token_claim
from weights.ledger.models import Download
from weights.web.process_copy import ProcessCopy

pytestmark = [pytest.mark.one_database, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

#: The tables that grow most, and that have thousands of rows here.
LARGE = {"accounts_grant", "accounts_auditevent", "accounts_sealedrow"}
LARGE |= {"weights_file", "weights_download"}
#: The index by which each request finds its rows.
INDEXES = {
    "gate": {"one_unended_grant_per_person_and_tier", "one_file_per_path"},
    "tree": {"one_file_per_path"},
    "my access": {"download_by_person"},
    "own events": {"audit_by_actor", "audit_by_object"},
    "proof": {"each_row_is_sealed_once"},
}


@pytest.fixture
def person(
    tmp_path: Path, settings: Settings, store: Path, monkeypatch: pytest.MonkeyPatch
) -> User:
    """A member of a portal with 200 people, 20,000 files and 20,000 rows in the ledger."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    population = import_module("support.population")

    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    population.fill(tmp_path, population.Sizes(people=200, checkpoints=20, waiting=60))
    return User.objects.get(username="person100")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def plan_of(request: Callable[[], object]) -> list[dict[str, Any]]:
    """The nodes of the plans of every query of a request."""
    with CaptureQueriesContext(connection) as captured:
        request()
    found: list[dict[str, Any]] = []
    with connection.cursor() as cursor:
        for query in captured:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN (FORMAT JSON) {query['sql']}")
                (plan,) = cursor.fetchone()
                plan = json.loads(plan) if isinstance(plan, str) else plan
                found += nodes(plan[0]["Plan"])
    return found


def test_no_frequent_request_reads_a_large_table(person: User, client: Client) -> None:
    token = ApiToken.objects.mint(person, name="plans", scopes=["read-gated"])[1]
    sharded = Checkpoint.objects.get(
        refs__name="main", refs__revision__file_count=992, tier__mode="open"
    )
    row = Download.objects.filter(user_id=person.pk)[0]
    reviewer = Client()
    reviewer.force_login(factories.staff("reviewer", Role.REVIEWER))
    client.force_login(person)

    def page(user: Client, address: str, **headers: str) -> Callable[[], object]:
        def get() -> None:
            assert user.get(address, headers=headers).status_code == 200

        return get

    def decide() -> None:
        claim = token_claim(f"Bearer {token}")
        decision = gate.decide(claim, sharded.repo_id, "main", "README.md", timezone.now())
        assert decision.allowed

    bearer = {"Authorization": f"Bearer {token}"}
    requests = {
        "gate": decide,
        "tree": page(Client(), f"/api/models/{sharded.repo_id}/tree/main", **bearer),
        "my access": page(client, "/access/"),
        "own events": page(client, "/access/events/"),
        "review queue": page(reviewer, "/admin/accounts/application/"),
        "catalogue": page(client, "/models?q=scaling"),
        "proof": lambda: proof_documents.inclusion(
            sealed_tables.get_log("download"), person, row.pk
        ),
    }
    plans = {name: plan_of(request) for name, request in requests.items()}
    read_whole = {
        (name, node["Relation Name"])
        for name, plan in plans.items()
        for node in plan
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
    }
    assert read_whole == set()
    used = {name: {node.get("Index Name") for node in plan} for name, plan in plans.items()}
    unused = {name: wanted - used[name] for name, wanted in INDEXES.items()}
    assert not any(unused.values()), unused
    # The home page counts all files too, at most every five minutes on a large portal.
    home = plan_of(page(Client(), "/"))
    assert "newest_visible_revision" in {node.get("Index Name") for node in home}


def test_the_review_queue_joins_people_to_the_rows_of_its_page_alone(
    person: User, client: Client
) -> None:
    client.force_login(factories.staff("reviewer", Role.REVIEWER))
    plan = plan_of(lambda: client.get("/admin/accounts/application/"))
    limited = [relations(node) for node in plan if node["Node Type"] == "Limit"]
    assert {"accounts_application"} in limited
    assert "waiting_application" in {node.get("Index Name") for node in plan}
    assert not any({"accounts_application", "accounts_user"} <= found for found in limited)


def test_the_catalogue_asks_only_for_hidden_and_new_checkpoints(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No other test may see this copy.
    monkeypatch.setattr(rows, "_copy", ProcessCopy(seconds=20))
    tier = factories.tier("open")
    Checkpoint.objects.bulk_create(
        Checkpoint(org="acme", name=f"model-{number}", tier=tier) for number in range(3000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE weights_checkpoint")
    assert client.get("/models").status_code == 200  # copies the rows into this process
    plan = plan_of(lambda: client.get("/models"))
    assert "restricted_checkpoint" in {node.get("Index Name") for node in plan}
    scanned = {node.get("Relation Name") for node in plan if node["Node Type"] == "Seq Scan"}
    assert "weights_checkpoint" not in scanned


def relations(plan: dict[str, Any]) -> set[str]:
    return {node["Relation Name"] for node in nodes(plan) if "Relation Name" in node}
