"""All routes of the portal, for tests that visit each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.contrib.admindocs.utils import replace_named_groups
from django.urls import URLPattern, URLResolver, get_resolver

#: Prefixes of routes that Django's admin and allauth generate.
GENERATED = (f"/{settings.ADMIN_PATH}", "/accounts/")


@dataclass(frozen=True)
class Route:
    """A URL pattern: its name with namespace, and its path with `<parameters>`."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """Its key in tables of routes: its name, or its path if it has no name."""
        return self.name or self.address

    @property
    def is_generated(self) -> bool:
        return self.address.startswith(GENERATED)


def routes(
    resolver: URLResolver | None = None, prefix: str = "", namespace: str = ""
) -> Iterator[Route]:
    """All URL patterns of the project with their full paths."""
    for entry in (resolver or get_resolver()).url_patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from routes(entry, address, inner)
        elif isinstance(entry, URLPattern):
            name = f"{namespace}{entry.name}" if entry.name else ""
            yield Route(name, readable(address))


def readable(pattern: str) -> str:
    """The pattern with `<name>` for each parameter, and other regular expressions unchanged."""
    named = replace_named_groups(re.sub(r"<\w+:(\w+)>", r"<\1>", pattern))
    return "/" + re.sub(r"[\^$]", "", named)


ROUTES = list(routes())


def one_spelling(address: str) -> str:
    """Replace each remaining regular expression with a text that matches it."""
    address = address.replace("[\\s\\S]+", "main/model.safetensors").replace("[\\s\\S]*", "main")
    return re.sub(r"\(\?:([^|)]*)[^)]*\)\??", r"\1", address)
