"""The URL parameter of an organisation's page."""

from django.urls import Resolver404, resolve
from django.urls.converters import StringConverter

from weights.catalogue.names import RESERVED_ORGS


class OrgConverter(StringConverter):
    """The name of an organisation, unless it is reserved or the start of another page.

    `/access` must still redirect to `/access/`, which Django does only if nothing else matches.
    """

    regex = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}"

    def to_python(self, value: str) -> str:
        if value.lower() in RESERVED_ORGS:
            raise ValueError("a path of the portal")
        try:
            resolve(f"/{value}/")
        except Resolver404:
            return value
        raise ValueError("the start of another page")
