"""Explanations of the error codes; a problem's `type` is the URL of one."""

from ninja import Router

from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.error_codes import ERROR_CODES
from weights.api.operations import READ_METHODS, responses
from weights.api.problems import ApiError
from weights.api.schemas.problems import ErrorCodeOut
from weights.errors import WeightsCode

router = Router(tags=["Problems"], auth=OptionalToken())


@router.api_operation(
    READ_METHODS,
    "/problems",
    response=responses(list[ErrorCodeOut]),
    summary="List every stable code",
)
def code_list(request: ApiRequest) -> list[ErrorCodeOut]:
    """Every value of a problem's `code` and of the headers `X-Error-Code`, `X-Refusal-Code`."""
    return [_error_code(code) for code in ERROR_CODES]


@router.api_operation(
    READ_METHODS,
    "/problems/{code}",
    response=responses(ErrorCodeOut, 404),
    summary="Explain a code",
)
def code_detail(request: ApiRequest, code: str) -> ErrorCodeOut:
    """Its usual status, its title and its remedy."""
    if code not in ERROR_CODES:
        raise ApiError(WeightsCode.CODE_NOT_FOUND, f"This API has no error code {code}.")
    return _error_code(code)


def _error_code(code: str) -> ErrorCodeOut:
    return ErrorCodeOut(code=code, **ERROR_CODES[code]._asdict())
