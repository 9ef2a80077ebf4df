"""A test client for the API that checks the schema of every response."""

import json
from typing import Any

from django.test import Client

from accounts.users.models import User
from tests.support import factories

ROOT = "/api/v1"


class ApiClient:
    """An anonymous client, or one with a token of `user` with these scopes."""

    def __init__(self, user: User | None = None, *scopes: str, **facts: Any) -> None:
        self.headers: dict[str, str] = {}
        if user is not None:
            self.headers["Authorization"] = f"Bearer {factories.token(user, *scopes, **facts)}"

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        return Client().generic(
            method,
            f"{ROOT}{path}",
            content,
            content_type="application/json" if content else "",
            headers=self.headers | headers,
        )

    def get(self, path: str, status: int = 200) -> Any:
        """The response's JSON; fails on any other status."""
        return response_json(self.send("GET", path), status)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return response_json(self.send("POST", path, body), status)

    def put(self, path: str, body: Any, status: int = 200) -> Any:
        return response_json(self.send("PUT", path, body), status)


def response_json(response: Any, status: int) -> Any:
    assert response.status_code == status, response.content
    assert response["Cache-Control"] == "private, no-store"
    if status >= 400:
        return problem(response)
    assert response["Content-Type"].startswith("application/json")
    return json.loads(response.content)


def problem(response: Any) -> Any:
    """The problem (RFC 9457) of an error response, whose headers repeat its code."""
    assert response["Content-Type"] == "application/problem+json", response.content
    payload = json.loads(response.content)
    assert {"type", "title", "status", "detail", "code", "instance"} <= set(payload)
    assert payload["status"] == response.status_code
    assert payload["type"].endswith(f"/api/v1/problems/{payload['code']}")
    assert response["X-Error-Code"] == payload["code"]
    assert payload["title"]
    assert payload["detail"]
    if response.status_code == 401:
        assert response["WWW-Authenticate"].startswith("Bearer ")
    return payload
