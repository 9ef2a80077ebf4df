"""What each stable code means: where a problem's `type` leads."""

from ninja import Router

from weights.api import schemas
from weights.api.answers import READ, answers
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.code_meanings import MEANINGS
from weights.api.problems import Refused

router = Router(tags=["Problems"], auth=OptionalToken())


@router.api_operation(
    READ,
    "/problems",
    response=answers(list[schemas.CodeMeaning]),
    summary="List every stable code",
)
def code_list(request: ApiRequest) -> list[schemas.CodeMeaning]:
    """The codes that `code` of a problem, `X-Error-Code` and `X-Refusal-Code` may carry."""
    return [_told(code) for code in MEANINGS]


@router.api_operation(
    READ,
    "/problems/{code}",
    response=answers(schemas.CodeMeaning, 404),
    summary="Explain a code",
)
def code_detail(request: ApiRequest, code: str) -> schemas.CodeMeaning:
    """Its usual status, its title, and what helps."""
    if code not in MEANINGS:
        raise Refused("code_not_found", f"No answer from here carries the code {code}.")
    return _told(code)


def _told(code: str) -> schemas.CodeMeaning:
    status, title, remedy = MEANINGS[code]
    return schemas.CodeMeaning(code=code, status=status, title=title, remedy=remedy)
