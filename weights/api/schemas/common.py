"""What every answer and every body have in common."""

from django.conf import settings
from ninja import Schema
from pydantic import ConfigDict


def address(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}"


class Hearing(Schema):
    """A body; a field that is not known is an error, not a silence."""

    model_config = ConfigDict(extra="forbid")
