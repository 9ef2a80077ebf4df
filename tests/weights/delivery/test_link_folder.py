"""The folder of a checkpoint link: its lists match the manifest and contain the terms."""

import json
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.delivery import links
from weights.delivery.models import CheckpointLink
from weights.publishing.models import File
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store"), pytest.mark.one_database]

FILES = {
    "README.md": b"# Card\n",
    'part one/größe & "co".pt': b"\x80\x02.",
    "SHA256SUMS": b"the publisher's own\n",
}
LISTS = ["manifest.json", "aria2.txt", "metalink.xml", "curl.txt", "download.sh"]
NOTICE = "The weights are licensed under the terms of a test."


@pytest.fixture
def folder(applicant: User, gated_tier: Tier) -> str:
    gated_tier.accepted_licence.attribution = NOTICE
    gated_tier.accepted_licence.save()
    factories.published("acme/gated", gated_tier, FILES)
    factories.grant(applicant, gated_tier)
    return urlsplit(links.issue_now(applicant, "acme/gated", 168)).path


def _text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, response.content
    return response.content.decode()


def test_each_list_names_every_file(client: Client, folder: str) -> None:
    for name in LISTS:
        text = _text(client, folder + name)
        for path, blob in File.objects.values_list("path", "blob__sha256"):
            assert blob in text or name == "curl.txt", name
            spelt = {path, quote(path), path.replace('"', '\\"'), path.replace("&", "&amp;")}
            assert any(way in text for way in spelt) or json.dumps(path) in text, (name, path)


def test_the_notice_that_the_licence_demands_travels_in_every_list(
    client: Client, folder: str
) -> None:
    for name in [*LISTS, "NOTICE.txt"]:
        assert NOTICE in _text(client, folder + name), name
    assert "For research" in _text(client, folder + "LICENCE.md")


def test_a_list_is_renamed_if_a_file_has_its_name(client: Client, folder: str) -> None:
    response = client.get(f"{folder}SHA256SUMS")
    assert b"".join(response.streaming_content) == FILES["SHA256SUMS"]  # type: ignore[attr-defined]
    lines = _text(client, f"{folder}weighbridge-SHA256SUMS").splitlines()
    assert len(lines) == len(FILES)
    assert client.get(f"{folder}weighbridge-manifest.json").status_code == 404


def test_an_md5_list_is_offered_only_if_one_was_published(client: Client, folder: str) -> None:
    assert client.get(f"{folder}md5sums.txt").status_code == 404
    File.objects.filter(path="README.md").update(md5="0" * 32)
    assert _text(client, f"{folder}md5sums.txt") == f"{'0' * 32}  README.md\n"


def test_the_metalink_is_well_formed_and_complete(client: Client, folder: str) -> None:
    root = ET.fromstring(_text(client, f"{folder}metalink.xml"))  # noqa: S314 - our own text
    space = "{urn:ietf:params:xml:ns:metalink}"
    listed = {
        str(file.get("name")): (file.findtext(f"{space}size"), file.findtext(f"{space}hash"))
        for file in root.iter(f"{space}file")
    }
    files = File.objects.select_related("blob")
    papers = {"LICENCE.md", "NOTICE.txt"}
    assert set(listed) - papers < set(listed)
    shards = {name: facts for name, facts in listed.items() if name not in papers}
    assert shards == {file.path: (str(file.size), file.sha256) for file in files}


def test_the_lists_of_a_revoked_link_are_gone(client: Client, folder: str, applicant: User) -> None:
    links.revoke_link(CheckpointLink.objects.get(), by=applicant)
    assert client.get(f"{folder}manifest.json").status_code == 410


@pytest.mark.requirement("UR-9")
def test_the_page_shows_the_commands_with_the_links_own_address(
    client: Client, folder: str
) -> None:
    page = _text(client, folder)
    assert f"{folder}download.sh" in page
    assert 'href="part%20one/"' in page
    assert "gr%C3%B6%C3%9Fe" in _text(client, f"{folder}part%20one/")


def test_a_folder_that_the_revision_lacks_is_not_found(client: Client, folder: str) -> None:
    assert client.get(f"{folder}part/").status_code == 404


def test_the_folder_marks_files_that_are_not_served(client: Client, folder: str) -> None:
    assert "Quarantined" not in _text(client, folder)
    Blob.objects.filter(files__path="SHA256SUMS").update(state=Blob.State.QUARANTINED)
    page = _text(client, folder)
    assert page.count("Quarantined") == 1
