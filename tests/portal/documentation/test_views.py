"""/docs/: the built site, served by the portal."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from portal.settings import installation

pytestmark = pytest.mark.django_db

PAGE = "<!doctype html><title>Index</title><p>The documentation"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built site of three files, and a secret beside it."""
    site = tmp_path / "html"
    (site / "_static").mkdir(parents=True)
    (site / "decisions").mkdir()
    (site / "index.html").write_text(PAGE)
    (site / "decisions" / "index.html").write_text("decisions")
    (site / "_static" / "site.css").write_text("p { margin: 0 }")
    (tmp_path / "keys.env").write_text("SECRET_KEY=1")
    # Sphinx takes too long for these tests; tests/test_wheel.py builds the real site.
    monkeypatch.setattr(installation, "DOCUMENTATION", site)
    return site


def get(client: Client, path: str, **headers: str) -> Any:
    """The response with its file closed, whose bytes are its `body`."""
    response: Any = client.get(f"/docs/{path}", headers=headers)
    response.body = b"".join(response).decode()
    response.close()
    return response


def test_pages_and_folders_are_served_to_anybody(client: Client, site: Path) -> None:
    assert get(client, "").body == get(client, "index.html").body == PAGE
    assert get(client, "decisions/").body == "decisions"


def test_pages_have_the_policy_of_all_other_pages(client: Client, site: Path) -> None:
    page, other = get(client, ""), client.get("/healthz")
    assert page["Content-Type"] == "text/html; charset=utf-8"
    for header in ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options"):
        assert page[header] == other[header]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "Set-Cookie" not in page.headers


def test_a_page_is_revalidated_and_a_file_with_a_checksum_is_kept(
    client: Client, site: Path
) -> None:
    page = get(client, "")
    assert page["Cache-Control"] == "public, no-cache"
    again = get(client, "", **{"If-Modified-Since": page["Last-Modified"]})
    assert again.status_code == 304
    style = get(client, "_static/site.css?v=1a2b3c4d")
    assert style["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path",
    ["missing.html", "_static/", "_static", "../keys.env", "%2e%2e/keys.env", "/etc/passwd", "%00"],
)
def test_nothing_outside_the_site_and_no_listing_is_served(
    client: Client, site: Path, path: str
) -> None:
    response = get(client, path)
    assert response.status_code in {400, 404}
    assert "SECRET_KEY" not in response.body


def test_a_clone_without_a_site_says_how_to_build_it(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # tests/test_wheel.py may have built a site in this tree.
    monkeypatch.setattr(installation, "DOCUMENTATION", tmp_path / "none")
    response = client.get("/docs/")
    assert response.status_code == 404
    assert "make docs" in response.content.decode()


def test_every_page_links_to_the_documentation(client: Client) -> None:
    assert 'href="/docs/"' in client.get("/").content.decode()
