"""Staff of one tier find nothing about another tier on any page of the admin.

The pages are read from the site itself. A new model fails the test until `tier_records` makes a
record of it, and from then on until its page is limited to the reader's tiers.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, reverse
from pytest_django import DjangoDbBlocker

from accounts.api_tokens.admin import ApiTokenAdmin
from accounts.api_tokens.models import ApiToken
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.portal.admin import tier_records
from tests.portal.admin.tier_records import MARKER, SHARED
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.slow]

Records = dict[type[models.Model], models.Model]
#: What is searched for: the marker without its last letter, since pages repeat a search.
SEARCH = MARKER[:-1]
#: Values for the arguments of pages beyond Django's own.
ARGUMENTS = {"action": ["claim", "approve", "remark"]}
#: Sent with every action and form, so that no page stops at its first question.
CONFIRMED = {
    **{"post": "yes", "confirmed": "1", "reason": "A reason that is long enough."},
    **{"why": "A reason that is long enough.", "code": "", "move": "note", "text": "A note"},
}


@pytest.fixture(scope="module")
def shared_records(shared_setup: DjangoDbBlocker) -> Records:
    with shared_setup.unblock():
        return tier_records.make_all()


@pytest.fixture
def records(shared_records: Records) -> Records:
    return deepcopy(shared_records)


def staff_of_another_tier(*roles: Role) -> User:
    person = factories.person("elsewhere")
    tier = factories.tier("another")
    for role in roles:
        RoleAssignment.objects.assign(person, role, tier)
    return User.objects.get(pk=person.pk)


def everything(person: User) -> tuple[Client, HttpRequest]:
    client, request = Client(), HttpRequest()
    client.force_login(person)
    request.user = person
    return client, request


# -- the pages ----------------------------------------------------------------------------------


def addresses(model: type[models.Model], record: models.Model) -> Iterator[str]:
    """Every address of a model's pages: the list and its filters, the record, forms, own pages."""
    page: Any = admin.site._registry[model]
    listed = _reverse(model, "changelist")
    queries: list[dict[str, Any]] = [{"all": 1}, {"q": SEARCH}]
    queries += [{"_popup": 1, "_to_field": page.opts.pk.name}]
    for field in _related_fields(model):
        if other := getattr(record, f"{field.name}_id", None):
            queries += [{f"{field.name}__{field.target_field.name}__exact": other}]
            queries += [{field.name: other}]
    yield from (f"{listed}?{urlencode(query)}" for query in queries)
    for name in ("change", "history", "delete"):
        yield _reverse(model, name, record.pk)
    yield f"{_reverse(model, 'change', record.pk)}?_popup=1"
    yield _reverse(model, "add")
    yield from _own_pages(page, record)
    for field in _related_fields(model):
        query = {
            "app_label": model._meta.app_label,
            "model_name": model._meta.model_name,
            "field_name": field.name,
            "term": SEARCH,
        }
        yield f"{reverse('admin:autocomplete')}?{urlencode(query)}"
        yield f"{reverse('admin:autocomplete')}?{urlencode(query | {'term': ''})}"


def _reverse(model: type[models.Model], name: str, *arguments: Any) -> str:
    place = f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}"
    return reverse(place, args=arguments)


def _related_fields(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.fields if field.remote_field]


def _own_pages(page: admin.ModelAdmin, record: models.Model) -> Iterator[str]:
    """The pages that a ModelAdmin adds to Django's, with the record's key in their address."""
    for pattern in page.get_urls():
        if not isinstance(pattern, URLPattern) or not pattern.name:
            continue
        names = list(pattern.pattern.converters)
        for action in ARGUMENTS["action"] if "action" in names else [""]:
            values = {name: action if name == "action" else record.pk for name in names}
            try:
                yield reverse(f"admin:{pattern.name}", kwargs=values)
            except NoReverseMatch:  # one of Django's, by another argument
                continue


def main_addresses(model: type[models.Model], record: models.Model) -> list[str]:
    """The addresses that show the record itself: its row, its page and its history."""
    pages = [_reverse(model, name, record.pk) for name in ("change", "history")]
    return [f"{_reverse(model, 'changelist')}?all=1", *pages]


def filter_links(text: str) -> set[str]:
    """The query strings of the filters that a list offers; another order shows the same rows."""
    links = {unescape(link) for link in re.findall(r'href="(\?[^"]+)"', text)}
    return {link for link in links if not re.search(r"[?&]o=", link)}


def body(response: Any) -> str:
    return b"".join(response).decode() if response.streaming else str(response.text)


# -- the walk -----------------------------------------------------------------------------------


def leaks(client: Client, request: HttpRequest, records: Records) -> list[str]:
    """The addresses whose response, or the page to which it leads, contains the marker."""
    found = [one for one in _site_pages() if _names_marker(client.get(one, follow=True))]
    for model, record in records.items():
        if model in SHARED:
            continue
        for address in addresses(model, record):
            found += _visit(client, address)
        found += _perform_actions(client, request, model, record)
    return found


def _site_pages() -> list[str]:
    apps = {model._meta.app_label for model in admin.site._registry}
    lists = [reverse("admin:app_list", args=[label]) for label in sorted(apps)]
    return [reverse("admin:index"), reverse("admin:health"), reverse("admin:jsi18n"), *lists]


def _names_marker(response: Any) -> bool:
    headers = " ".join(f"{name}: {value}" for name, value in response.items())
    return MARKER in (headers + body(response)).lower()


def _visit(client: Client, address: str) -> list[str]:
    """GET the address, the filters that a full list offers, and POST to pages without a query."""
    response = client.get(address, follow=True)
    found = [address] if _names_marker(response) else []
    if address.endswith("?all=1"):
        links = sorted(filter_links(response.text))
        found += [f"{address} {link}" for link in links if _leads_to_marker(client, address, link)]
    if "?" not in address and _names_marker(client.post(address, CONFIRMED, follow=True)):
        found.append(f"POST {address}")
    return found


def _leads_to_marker(client: Client, address: str, link: str) -> bool:
    return _names_marker(client.get(address.partition("?")[0] + link, follow=True))


def _perform_actions(
    client: Client, request: HttpRequest, model: type[models.Model], record: models.Model
) -> list[str]:
    """Every action of the list, on the record of the other tier."""
    page: Any = admin.site._registry[model]
    listed = _reverse(model, "changelist")
    found = []
    for action in {"delete_selected", *(page.get_actions(request))}:
        chosen = {"action": action, "_selected_action": [record.pk], **CONFIRMED}
        if _names_marker(client.post(listed, chosen, follow=True)):
            found.append(f"{action} on {listed}")
    return found


def contents(records: Records) -> dict[str, list[dict[str, Any]]]:
    """The stored row of every record."""
    return {
        model._meta.label: list(model._base_manager.filter(pk=record.pk).values())
        for model, record in records.items()
    }


# -- the tests ----------------------------------------------------------------------------------


def test_every_model_of_the_admin_is_walked(records: Records) -> None:
    assert not tier_records.unmade(records), "make a record of it in tier_records.py"
    assert set(records) == set(admin.site._registry)
    assert len(records) >= 31


@pytest.mark.requirement("AD-10")
def test_staff_of_another_tier_find_nothing_of_this_one(records: Records) -> None:
    """Somebody with every role of the other tier opens and tries whatever one role of it may."""
    before = contents(records)
    assert not leaks(*everything(staff_of_another_tier(*Role)), records)
    assert contents(records) == before


@pytest.mark.requirement("AD-10")
def test_no_single_role_of_another_tier_is_shown_a_record(records: Records) -> None:
    tier = factories.tier("another")
    for role in Role:
        client = Client()
        client.force_login(factories.staff(f"another-{role}", role, tier))
        for model, record in records.items():
            if model not in SHARED:
                pages = main_addresses(model, record)
                found = [one for one in pages if _names_marker(client.get(one, follow=True))]
                assert not found, role


def test_the_walk_finds_what_staff_of_all_tiers_read(records: Records) -> None:
    """Otherwise it would find nothing because it looks at nothing."""
    root = factories.person("root", is_superuser=True, is_staff=True)
    for role in Role:
        RoleAssignment.objects.assign(root, role)
    client, _ = everything(User.objects.get(pk=root.pk))
    for model, record in records.items():
        if model not in SHARED:
            pages = main_addresses(model, record)[:2]
            assert any(_names_marker(client.get(page, follow=True)) for page in pages), model


def test_a_page_without_the_rule_is_found(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a new model's page would be, or one that loses the rule."""
    monkeypatch.delattr(ApiTokenAdmin, "get_queryset")
    person = staff_of_another_tier(Role.AUDITOR)
    found = leaks(*everything(person), {ApiToken: records[ApiToken]})
    assert reverse("admin:accounts_apitoken_change", args=[records[ApiToken].pk]) in found
