"""Types of the records in `Family.facts`."""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from accounts.web.sanitize import is_storable


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("it contains a character that cannot be stored")
    return text


Text = Annotated[str, Field(max_length=500), AfterValidator(_storable)]
RequiredText = Annotated[str, Field(min_length=3, max_length=500), AfterValidator(_storable)]
Url = Annotated[
    str, Field(pattern=r"^https://[^\s\"<>]+$", max_length=500), AfterValidator(_storable)
]


class Record(BaseModel):
    """A part of a record; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(Record):
    """A part that names the document that states it."""

    source: RequiredText
    url: Url


_Record = TypeVar("_Record", bound=Record)


def parse(kind: type[_Record], name: str, data: Any) -> _Record:
    """`data` as a record. Raises ValueError that names the part and its first wrong field."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "its top"
        raise ValueError(f"{name} is not valid at {place}: {first['msg']}") from error
