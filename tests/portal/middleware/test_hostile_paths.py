"""Encoded separators and empty parts at every position of every URL never cause a 5xx.

`%2F` and `/` are equal in PATH_INFO, but differ in the raw target, which the Hub's routes read.
"""

import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from itertools import cycle, islice, product
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from django.db import transaction
from django.urls import Resolver404, resolve

from accounts.tiers.models import Tier
from tests.support import factories
from tests.support.http.addresses import addresses
from tests.support.http.callers import FILES, REPO, Person, World, person
from tests.support.http.fuzzing import ASKED
from tests.support.http.routes import ROUTES, Route
from tests.support.http.wsgi import Answer, Stack
from tests.support.servers.live import Portal

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SPELLINGS = ["%2F", "%5C", "%252F", "//"]
#: Each way to ask: method and credential.
WAYS = list(product(["GET", "HEAD", "POST"], ["none", "token", "session"]))
CSRF = "a" * 32
#: The suite asks one in so many of each kind, an odd number, since spellings come in pairs;
#: `make fuzz` asks all of them, each in every way.
KINDS = {"hub": 3, "api": 5, "pages": 7, "generated": 51}


def kind_of(route: Route) -> str:
    if route.is_generated:
        return "generated"
    if route.name.startswith("hub:") or "resolve" in route.address:
        return "hub"
    return "api" if route.address.startswith("/api/") else "pages"


def spellings(address: str) -> Iterator[str]:
    """The URL with each slash, with all slashes from each on, and the end of each part encoded."""
    path, mark, query = address.partition("?")
    for slash in re.finditer("/", path):
        before = path[: slash.start()] or "/"  # a target begins with a slash
        for text in SPELLINGS:
            after = path[slash.end() :]
            yield f"{before}{text}{after}{mark}{query}"
            yield f"{before}{text}{after.replace('/', text)}{mark}{query}"
    for part in re.finditer("[^/]+", path):
        for text in SPELLINGS[:3]:
            yield f"{path[: part.end()]}{text}{path[part.end() :]}{mark}{query}"


def targets(kind: str, world: World, caller: Person) -> list[str]:
    """Every spelling of one address of each route of this kind."""
    of_kind = [route for route in ROUTES if kind_of(route) == kind]
    plain = [next(addresses(route, world, caller)) for route in of_kind]
    return list(dict.fromkeys(text for address in plain for text in spellings(address)))


def requests(kind: str, world: World, caller: Person) -> Iterator[tuple[str, str, str]]:
    """Target, method and credential: the ways take turns, or all of them under `make fuzz`.

    The Hub's routes, which read the target as sent, are each asked by an anonymous GET too.
    """
    every = targets(kind, world, caller)
    if ASKED in os.environ:
        yield from ((target, *way) for target in every for way in WAYS)
        return
    ways = cycle(WAYS)
    for target in islice(every, 0, None, KINDS[kind]):
        yield (target, *next(ways))
        if kind == "hub":
            yield (target, "GET", "none")


@pytest.fixture
def world(store: Path, gated_tier: Tier) -> World:
    revision = factories.published(REPO, gated_tier, FILES)
    return World(revision, {"approved": person("approved", gated_tier, revision)})


def headers(credential: str, caller: Person) -> dict[str, str]:
    if credential == "token":
        return {"Authorization": f"Bearer {caller.token}"}
    if credential == "session":
        session = caller.cookies["sessionid"].value
        return {"Cookie": f"sessionid={session}; csrftoken={CSRF}", "X-CSRFToken": CSRF}
    return {}


@pytest.mark.requirement("HT-6")
@pytest.mark.parametrize("kind", KINDS)
def test_no_spelling_of_a_path_gives_5xx(kind: str, world: World) -> None:
    stack, caller = Stack(), world.people["approved"]
    faults = []
    for target, method, credential in requests(kind, world, caller):
        with transaction.atomic():
            answer = stack.ask(method, target, **headers(credential, caller))
            transaction.set_rollback(True)
        if fault := fault_of(answer, method, target):
            faults.append(f"{method} {target} ({credential}): {fault}")
    assert faults == []


def fault_of(answer: Answer, method: str, target: str) -> str:
    """What the answer lacks of what its route promises; empty when it is as it should be."""
    if answer.status >= 500 or answer.status == 429:
        return str(answer.status)
    if answer.status < 400:
        return ""
    path = unquote(urlsplit(f"http://portal{target}").path)
    if path.startswith("/api/") and not _is_json(answer, method):
        return f"{answer.status} without JSON: {answer.headers.get('content-type')}"
    promised = "x-error-message" if _is_hub(path) else "x-error-code"
    return "" if promised in answer.headers else f"{answer.status} without {promised}"


def _is_json(answer: Answer, method: str) -> bool:
    if not answer.headers.get("content-type", "").startswith("application/"):
        return False
    return method == "HEAD" or bool(json.loads(answer.body)["code"])


def _is_hub(path: str) -> bool:
    try:
        return not {"hub", "uploads", "xet"}.isdisjoint(resolve(path).namespaces)
    except Resolver404:
        return False


# -- which revision and file such an address names -------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        *("/acme/cafe/resolve/main/a/b.json", "/acme/cafe/resolve/refs%2Fheads%2Fmain/a/b.json"),
        *("/acme%2Fcafe/resolve/main/a/b.json", "/acme%2fcafe%2fresolve/main/a/b.json"),
        *("/acme/cafe/resolve%2Fmain/a/b.json", "/acme/cafe/resolve/main/a%2Fb.json"),
        *("/acme%2Fcafe%2Fresolve%2Fmain/a/b.json", "/%2Facme/cafe/resolve/main/a/b.json"),
    ],
)
def test_an_encoded_slash_of_the_route_does_not_shift_revision_and_path(
    target: str, store: object
) -> None:
    factories.published("acme/cafe", files={"a/b.json": b"{}"})
    answer = Stack().ask("GET", target)
    if target.startswith("/%2F"):
        assert answer.status == 404
    else:
        assert (answer.status, answer.body) == (200, b"{}")


def test_a_tree_is_listed_below_an_encoded_slash(store: object) -> None:
    factories.published("acme/cafe", files={"a/b.json": b"{}"})
    answer = Stack().ask("GET", "/api/models/acme%2Fcafe/tree/main/a")
    assert [entry["path"] for entry in json.loads(answer.body)] == ["a/b.json"]


# -- a running portal ------------------------------------------------------------------------


def ask_socket(address: tuple[str, int], target: str) -> int:
    """The status of a GET with exactly this target; clients would normalise it."""
    head = f"GET {target} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(head.encode())
        line = connection.makefile("rb").readline()
    return int(line.split()[1])


@pytest.mark.django_db(transaction=True)
def test_a_running_portal_answers_them_below_500(
    world: World, start_portal: Callable[..., Portal]
) -> None:
    running = urlsplit(start_portal().url)
    assert running.hostname
    assert running.port
    asked = targets("hub", world, world.people["approved"])
    statuses = {one: ask_socket((running.hostname, running.port), one) for one in asked[::3]}
    assert {one: status for one, status in statuses.items() if status >= 500} == {}
    assert len(statuses) > 150
