"""Ask the API as a script does, and see that every refusal is a problem."""

import json
from typing import Any

from django.test import Client

from accounts.users.models import User
from tests.support import factories

ROOT = "/api/v1"


class Script:
    """A caller of the API: anonymous, or somebody's token with these scopes."""

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
        """The JSON of an answer with this status; any other status fails."""
        return told(self.send("GET", path), status)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return told(self.send("POST", path, body), status)

    def put(self, path: str, body: Any, status: int = 200) -> Any:
        return told(self.send("PUT", path, body), status)


def told(response: Any, status: int) -> Any:
    assert response.status_code == status, response.content
    assert response["Cache-Control"] == "private, no-store"
    if status >= 400:
        return problem(response)
    assert response["Content-Type"].startswith("application/json")
    return json.loads(response.content)


def problem(response: Any) -> Any:
    """What an error says: RFC 9457, and the same code and sentence in headers."""
    assert response["Content-Type"] == "application/problem+json", response.content
    said = json.loads(response.content)
    assert {"type", "title", "status", "detail", "code", "instance"} <= set(said)
    assert said["status"] == response.status_code
    assert said["type"].endswith(f"/api/v1/problems/{said['code']}")
    assert response["X-Error-Code"] == said["code"]
    assert said["title"]
    assert said["detail"]
    if response.status_code == 401:
        assert response["WWW-Authenticate"].startswith("Bearer ")
    return said
