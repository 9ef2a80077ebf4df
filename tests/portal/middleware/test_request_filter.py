"""Every request passes the filter of hosts; HEAD has no body."""

import pytest
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.mark.requirement("HT-2")
@pytest.mark.parametrize("path", ["/healthz", "/models", "/static/css/base.css", "/api/models/a/b"])
def test_an_unknown_host_is_400_on_every_address(path: str, client: Client) -> None:
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 400


def test_a_head_has_the_length_of_the_get_and_no_body(client: Client) -> None:
    got, head = client.get("/api/models/no/such"), client.head("/api/models/no/such")
    assert head.content == b""
    assert int(head["Content-Length"]) == len(got.content)
    assert head.status_code == got.status_code == 404
