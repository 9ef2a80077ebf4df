"""Problem details and error codes."""

from ninja import Schema


class NextStepOut(Schema):
    text: str
    url: str


class FieldErrorOut(Schema):
    field: str
    message: str


class Problem(Schema):
    """Problem details (RFC 9457); `code` is stable, `type` is the URL of its explanation."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[FieldErrorOut] | None = None
    next_step: NextStepOut | None = None


class ErrorCodeOut(Schema):
    code: str
    status: int
    title: str
    remedy: str
