"""From publication to download through all containers, each killed and replaced.

make containers
"""

import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.containers import images, listening, people
from tests.containers.loads import Load
from tests.containers.podman import missing, podman
from tests.containers.stack import BOUND, RUNNING, Running, Stack, report
from tests.support.servers.proc import environ
from tests.support.servers.services import wait_until

pytestmark = [
    pytest.mark.one_database,
    pytest.mark.processes,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]

REPO = "acme/opt-992"
SHARDS = 992
PORTAL = ("web", "worker", "beat")
#: What listens inside each container: port -> address.
EVERYWHERE, LOOPBACK = "0.0.0.0", "127.0.0.1"  # noqa: S104
LISTENING = {
    "web": {8000: EVERYWHERE},
    "worker": {},
    "beat": {},
    "nginx": {8080: EVERYWHERE, 9000: EVERYWHERE},
    "postgres": {5432: EVERYWHERE},
    "redis": {6379: EVERYWHERE},
    "store": {8333: EVERYWHERE, 18333: EVERYWHERE},
}
_DATABASES = {"postgres:5432", "redis:6379"}
_STORE = {"store:8333", "store:18333"}
_NGINX = {"nginx:8080", "nginx:9000"}
#: What each service can open connections to: all ports of the members of its networks.
REACHES = {
    "nginx": {"web:8000", *_STORE},
    "web": {*_DATABASES, *_STORE, *_NGINX},
    "worker": {*_DATABASES, *_STORE, *_NGINX, "web:8000"},
    "beat": {*_DATABASES, "web:8000"},
    "postgres": {"web:8000"},
    "redis": {"web:8000"},
    "store": {*_NGINX, "web:8000"},
}


@pytest.fixture(scope="module")
def files(walk: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The 992 shards, published and verified: path -> SHA-256."""
    folder = tmp_path_factory.mktemp("source") / "model"
    return people.publish(walk.stack, REPO, folder, SHARDS)


@pytest.fixture(scope="module")
def bearer(walk: Running, files: dict[str, str]) -> str:
    """The token of a person who applied and was approved."""
    people.account(walk.stack, "ada")
    people.account(walk.stack, "ruth", "--role", "reviewer")
    token = people.token(walk.stack, "ada")
    people.apply(walk.stack, token, "ada")
    people.approve(walk.stack, "ruth")
    return token


def test_image_and_start_are_small(walk: Running) -> None:
    """The image adds at most 300 MB to its base; web answers soon, even on a busy machine."""
    whole, base = images.size("localhost/weighbridge"), images.size(images.BASE)
    (web,) = walk.stack.names("web")
    podman("stop", "--time", "30", web)
    begun = time.monotonic()
    podman("start", web)
    wait_until(lambda: walk.stack.is_healthy(web), "web", seconds=60)
    seconds = time.monotonic() - begun
    walk.stack.wait()
    report(
        f"\nimage {whole / 1e6:.0f} MB, {base / 1e6:.0f} of them the base;"
        f" everything ready in {walk.started_in:.0f} s, web alone in {seconds:.1f} s"
    )
    assert whole - base < 300e6
    assert seconds < 60


def test_the_documentation_is_served_and_its_generator_is_not_in_the_image(walk: Running) -> None:
    for page, words in (("", "Weighbridge"), ("containers.html", "podman-compose")):
        answer = requests.get(f"{walk.stack.url}/docs/{page}", timeout=60)
        assert (answer.status_code, words in answer.text) == (200, True), page
    (web,) = walk.stack.names("web")
    listed = walk.stack.execute(web, "sh", "-c", "ls /app /opt/venv/lib/python3*/site-packages")
    assert not {"docs", "sphinx", "furo", "pip"} & set(listed.split())


@pytest.mark.parametrize("service", [*PORTAL, "nginx"])
def test_our_containers_run_without_root_on_a_read_only_root(walk: Running, service: str) -> None:
    (name,) = walk.stack.names(service)
    assert walk.stack.execute(name, "id", "-u").strip() == "10001"
    facts = dict(
        line.split(":\t", 1)
        for line in walk.stack.execute(name, "cat", "/proc/1/status").splitlines()
        if ":\t" in line
    )
    assert {facts[key].strip() for key in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert facts["NoNewPrivs"] == "1"
    for path in ("/app", "/etc", "/var", "/root", "/usr/bin", "/run/secrets", "/srv"):
        done = podman("exec", name, "touch", f"{path}/written", check=False)
        assert done.returncode != 0, path
    walk.stack.execute(name, "touch", "/tmp/written")
    assert "ro," in next(
        line
        for line in walk.stack.execute(name, "cat", "/proc/mounts").splitlines()
        if " / " in line
    )


def test_secrets_are_files_and_in_no_environment(walk: Running) -> None:
    folder = walk.stack.folder / "deploy/secrets"
    secrets = {
        path.name: path.read_text()
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name != "redis_acl"
    }
    assert len(secrets) == 7
    for service in RUNNING:
        (name,) = walk.stack.names(service)
        configured = podman("inspect", name).stdout
        shown = walk.stack.execute(name, "sh", "-c", "cat /proc/[0-9]*/cmdline")
        shown += environ(walk.stack.pid(name))
        for path, secret in secrets.items():
            assert secret not in configured, f"{service}: {path}"
            # SeaweedFS reads its key from its own environment.
            if (service, path) != ("store", "s3_secret_key"):
                assert secret not in shown, f"{service}: {path}"


@pytest.mark.parametrize("service", RUNNING)
def test_what_listens_in_each_container(walk: Running, service: str) -> None:
    (name,) = walk.stack.names(service)
    found = listening.sockets(walk.stack, name)
    outside = {
        port: EVERYWHERE if address == "::" else address
        for port, address in found.items()
        if address != LOOPBACK
    }
    assert outside == LISTENING[service]


def test_each_container_reaches_only_the_members_of_its_networks(walk: Running) -> None:
    """Connect from the network namespace of each container to each port of each other one."""
    for service in RUNNING:
        assert listening.reachable(walk.stack, service, LISTENING) == REACHES[service], service


def test_992_shards_by_the_hubs_client(
    walk: Running, files: dict[str, str], bearer: str, tmp_path: Path
) -> None:
    begun = time.monotonic()
    done = people.hf_download(walk.stack, REPO, tmp_path, bearer, files)
    assert (done.code, done.wrong) == (0, []), done.words
    report(f"992 shards in {time.monotonic() - begun:.0f} s")


def test_the_approved_person_gets_a_link_by_mail(
    walk: Running, files: dict[str, str], bearer: str
) -> None:
    wait_until(lambda: bool(walk.box.links_to("ada@example.org")), "the link", seconds=120)
    (link,) = walk.box.links_to("ada@example.org")
    assert link.startswith(walk.stack.url)
    for name in list(files)[:3]:
        answer = requests.get(link + name, timeout=60)
        assert people.sha256(answer.content) == files[name]


def test_revocation_ends_links_at_once_and_addresses_within_their_lifetime(
    walk: Running, files: dict[str, str], bearer: str
) -> None:
    people.account(walk.stack, "eve")
    walk.stack.manage("grant", "eve", people.TIER, "--reason", "to be revoked")
    token = people.token(walk.stack, "eve")
    address = f"{walk.stack.url}/{REPO}/resolve/main/{next(iter(files))}"
    headers = {"Authorization": f"Bearer {token}"}
    granted = requests.get(address, headers=headers, allow_redirects=False, timeout=60)
    assert granted.status_code == 302, granted.text
    walk.stack.manage("revoke", "eve", people.TIER, "--reason", "the test asks")
    refused = requests.get(address, headers=headers, allow_redirects=False, timeout=60)
    assert (refused.status_code, refused.headers["X-Refusal-Code"]) == (403, "revoked")
    given = granted.headers["Location"]
    assert people.lifetime(given) <= BOUND
    time.sleep(people.lifetime(given) + 2)
    assert requests.get(given, timeout=60).status_code == 403


def test_each_container_is_killed_and_replaced_while_files_are_downloaded(
    walk: Running, files: dict[str, str], bearer: str, tmp_path: Path
) -> None:
    """Every container comes back by itself; clients resume, and no byte is ever wrong.

    The outcome of a fault is the time until a file can be downloaded again.
    """
    load = Load(walk.stack, REPO, tmp_path, bearer, files)
    load.start(1)
    rows = []
    try:
        for service in RUNNING:
            for fault in ("kill", "replace"):
                begun = time.monotonic()
                (name,) = walk.stack.names(service)
                if fault == "kill":
                    walk.stack.kill(name)
                    wait_until(partial(walk.stack.runs, name), name, seconds=60)
                else:
                    walk.stack.replace(service, name)
                walk.stack.wait(service)
                wait_until(partial(_downloads, walk.stack, files, bearer), "a file", pause=0.5)
                seconds = time.monotonic() - begun
                rows.append(f"{fault} {service}: files again after {seconds:.0f} s")
    finally:
        ended = load.stop()
    failed = [one.words for one in ended if one.code]
    report("\n".join(["", *rows, f"{len(ended)} downloads, {len(failed)} to be repeated"]))
    assert [one.wrong for one in ended if one.wrong] == []
    last = people.hf_download(walk.stack, REPO, tmp_path / "last", bearer, files)
    assert (last.code, last.wrong) == (0, []), last.words
    for command in (["verify_audit"], ["verify", "--wait"]):
        walk.stack.manage(*command)


def _downloads(stack: Stack, files: dict[str, str], bearer: str) -> bool:
    """Download one shard; AssertionError for other bytes."""
    name, digest = next(iter(files.items()))
    address = f"{stack.url}/{REPO}/resolve/main/{name}"
    with suppress(requests.ConnectionError, requests.Timeout):
        answer = requests.get(address, headers={"Authorization": f"Bearer {bearer}"}, timeout=10)
        assert not answer.ok or people.sha256(answer.content) == digest
        return answer.ok
    return False
