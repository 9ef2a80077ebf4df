"""Refusals as problem details."""

from ninja import Schema


class NextStep(Schema):
    text: str
    url: str


class FieldFault(Schema):
    field: str
    message: str


class Problem(Schema):
    """Problem details (RFC 9457); `code` is stable, `type` is the address that explains it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[FieldFault] | None = None
    next_step: NextStep | None = None


class CodeMeaning(Schema):
    code: str
    status: int
    title: str
    remedy: str
