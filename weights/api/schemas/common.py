"""Base classes of schemas, and absolute URLs."""

from django.conf import settings
from ninja import Schema
from pydantic import ConfigDict


def absolute_url(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}"


class RequestBody(Schema):
    """The base of request bodies; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class AliasedSchema(Schema):
    """The base of responses whose field aliases are attribute names of the model.

    Ninja validates each response a second time, then by field name.
    """

    model_config = ConfigDict(populate_by_name=True)
