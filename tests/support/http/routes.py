"""Every address of the portal, for the tests that walk them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.contrib.admindocs.utils import replace_named_groups
from django.urls import URLPattern, URLResolver, get_resolver

#: Where routes make themselves: the admin's and allauth's.
GENERATED = (f"/{settings.ADMIN_PATH}", "/accounts/")


@dataclass(frozen=True)
class Route:
    """One URL pattern: its name with namespace, and its address with `<parameters>`."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """What the table calls it: its name, or its address where it has none."""
        return self.name or self.address

    @property
    def is_generated(self) -> bool:
        return self.address.startswith(GENERATED)


def routes(
    resolver: URLResolver | None = None, prefix: str = "", namespace: str = ""
) -> Iterator[Route]:
    """Every pattern of the project, included ones with their whole address."""
    for entry in (resolver or get_resolver()).url_patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from routes(entry, address, inner)
        elif isinstance(entry, URLPattern):
            name = f"{namespace}{entry.name}" if entry.name else ""
            yield Route(name, readable(address))


def readable(pattern: str) -> str:
    """A pattern with `<name>` for each parameter; other regular expressions stay."""
    named = replace_named_groups(re.sub(r"<\w+:(\w+)>", r"<\1>", pattern))
    return "/" + re.sub(r"[\^$]", "", named)


ROUTES = list(routes())


def one_spelling(address: str) -> str:
    """Put one word that matches in the place of each regular expression that is left."""
    address = address.replace("[\\s\\S]+", "main/model.safetensors").replace("[\\s\\S]*", "main")
    return re.sub(r"\(\?:([^|)]*)[^)]*\)\??", r"\1", address)
