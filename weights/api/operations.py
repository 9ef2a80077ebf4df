"""Constants and responses shared by the operations."""

from typing import Any

#: Errors of reading a body, before its contents are validated.
BODY_ERRORS = (400, 413, 415, 422)
#: Every read operation serves HEAD as well.
READ_METHODS = ["GET", "HEAD"]


def responses(schema: Any, *errors: int, status: int = 200) -> dict[int, Any]:
    """The responses of an operation: its own, `errors`, and those that every operation has.

    Any operation may reject a token (401, 403), exceed a limit (429) or be unavailable (503).
    Errors have no schema here, since ninja would build hundreds of models at every start; the
    OpenAPI document adds the one schema that all share.
    """
    return {status: schema, **dict.fromkeys(sorted({*errors, 401, 403, 429, 503}))}
