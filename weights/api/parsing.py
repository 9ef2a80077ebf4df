"""Reading a request's body, within the bounds of docs/requirements.md, HT-7."""

from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from weights.api.problems import Refused
from weights.errors import BadBody
from weights.web import strict_json


class BoundedParser(Parser):
    """JSON in UTF-8 and within the bounds of `strict_json`.

    The size of 1 MiB is Django's to refuse, before anything is read.
    """

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json":
            raise Refused("unsupported_media_type", "Send the body as application/json.")
        try:
            return strict_json.read(request.body)
        except BadBody as error:
            raise Refused(error.code, str(error)) from error
