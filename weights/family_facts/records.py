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
    """A part with the document that states it."""

    source: RequiredText
    url: Url


#: Error type -> remedy; other types keep pydantic's message.
_REMEDIES = {
    "missing": "it is missing; add it",
    "extra_forbidden": "this name is not allowed here; correct or remove it",
    "model_type": "write an object, in braces",
    "dict_type": "write an object, in braces",
    "list_type": "write a list, in brackets",
    "string_type": "write a text in quotation marks",
    "float_type": "write a number without quotation marks",
    "int_type": "write a whole number without quotation marks",
    "bool_type": "write true or false",
    "string_pattern_mismatch": "write a URL that begins with https://",
    "string_too_short": "write at least {min_length} characters",
    "string_too_long": "write at most {max_length} characters",
    "too_long": "list at most {max_length}",
    "greater_than": "write a number above {gt:g}",
    "less_than": "write a number below {lt:g}",
}
_Record = TypeVar("_Record", bound=Record)


def parse(kind: type[_Record], name: str, data: Any) -> _Record:
    """`data` as a record. Raises ValueError with the part's name and first invalid field."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "its top"
        remedy = _REMEDIES.get(first["type"], "").format(**first.get("ctx", {}))
        message = remedy or first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{name} is not valid at {place}: {message}") from error
