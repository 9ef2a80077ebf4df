"""The request body parser, with the limits of docs/requirements.md, HT-7."""

from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from accounts.errors import AccountsCode
from weights.api.problems import ApiError
from weights.errors import BadBody
from weights.web import strict_json


class BoundedParser(Parser):
    """Parses UTF-8 JSON within the limits of `strict_json`.

    Django itself refuses bodies larger than 1 MiB before reading them.
    """

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json":
            raise ApiError(
                AccountsCode.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json."
            )
        try:
            return strict_json.read(request.body)
        except BadBody as error:
            raise ApiError(error.code, str(error)) from error
