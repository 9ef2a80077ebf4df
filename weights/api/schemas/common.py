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
    """The base of responses whose fields have aliases: the names of the model's attributes.

    Ninja validates a response a second time, by then under the names of the fields.
    """

    model_config = ConfigDict(populate_by_name=True)
