"""The containers: their commands, and the web server in front of them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

import pytest
import yaml

from accounts.tiers.models import Tier
from accounts.users.models import User
from portal import processes
from portal.settings import validation
from tests.support import factories, tools
from tests.support.servers import proc, s3, services
from tests.support.servers.front import NGINX, Front, ask, includes
from tests.support.servers.live import ROOT
from weights.delivery import links

pytestmark = pytest.mark.one_database

SERVICE_KEYS = {
    *("build", "image", "restart", "init", "environment", "volumes", "depends_on", "command"),
    *("user", "ports", "healthcheck", "stop_grace_period", "networks", "secrets", "entrypoint"),
    *("read_only", "tmpfs", "cap_drop", "security_opt"),
}
TOP_KEYS = {"name", "services", "volumes", "networks", "secrets"}
SECRETS = (
    *("SECRET_KEY", "LINK_KEYS", "ENCRYPTION_KEYS", "DATABASE_PASSWORD", "AWS_SECRET_ACCESS_KEY"),
    *("EMAIL_PASSWORD", "BROKER_PASSWORD", "CACHE_PASSWORD"),
    *(f"{provider}_CLIENT_SECRET" for provider in ("ORCID", "GITHUB", "GOOGLE")),
)
#: Containers that may open connections to the internet, with the one network for it.
WAYS_OUT = {"web": "web_out", "worker": "worker_out"}
#: The containers that a service of data is reached from.
CALLERS = {
    "database": {"postgres", "web", "worker", "beat", "prepare"},
    "queue": {"redis", "web", "worker", "beat", "prepare"},
    "store": {"store", "web", "worker", "nginx"},
    "pages": {"nginx", "web"},
}
PORTAL_SERVICES = {"web", "worker", "beat", "prepare"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return {name: part for name, part in found.items() if not name.startswith("x-")}


# -- docker-compose.yml -------------------------------------------------------------------


def test_compose_has_every_part_of_a_production_install(compose: dict[str, Any]) -> None:
    assert set(compose) == TOP_KEYS
    others = {"nginx", "postgres", "redis", "store"}
    assert set(compose["services"]) == PORTAL_SERVICES | others


def test_compose_uses_only_keys_of_its_specification(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert set(service) <= SERVICE_KEYS, name
        assert "image" in service or "build" in service, name


def test_compose_names_only_services_and_volumes_that_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", [])) <= set(compose["services"])
        named = [volume.partition(":")[0] for volume in service.get("volumes", [])]
        assert {name for name in named if not name.startswith(".")} <= set(compose["volumes"])


def test_only_the_web_server_is_reachable_from_outside(compose: dict[str, Any]) -> None:
    published = [name for name, service in compose["services"].items() if "ports" in service]
    assert published == ["nginx"]


def test_containers_run_the_commands_that_quickstart_runs(compose: dict[str, Any]) -> None:
    commands = {name: compose["services"][name]["command"] for name in PORTAL_SERVICES}
    for name in ("web", "worker", "beat"):
        assert commands[name] == ["python", "-m", "portal.processes", name]
    assert commands["prepare"] == ["python", "manage.py", "prepare_install"]


def test_no_secret_is_in_compose_or_its_example(compose: dict[str, Any]) -> None:
    """Each is a separate file without a default, and not visible in a container's configuration."""
    for name, service in compose["services"].items():
        given = service.get("environment", {})
        assert not set(given) & {*SECRETS, "POSTGRES_PASSWORD"}, name
        for variable, value in given.items():
            if str(value).startswith("/run/secrets/"):
                assert str(value).rpartition("/")[2] in service["secrets"], f"{name}: {variable}"
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
    example = (ROOT / "deploy" / ".env.example").read_text()
    assert not re.search(rf"^({'|'.join(SECRETS)})=", example, flags=re.MULTILINE)


def test_the_script_that_the_example_names_makes_every_secret_once(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    script = tmp_path / "secrets.sh"
    shutil.copy(ROOT / "deploy" / "secrets.sh", script)
    folder = tmp_path / "secrets"
    folder.mkdir()
    for _ in range(2):
        subprocess.run(["sh", str(script)], capture_output=True, check=True)
        made = {path.name: path.read_text() for path in folder.iterdir()}
    files = {Path(secret["file"]).name for secret in compose["secrets"].values()}
    assert set(made) == files
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    subprocess.run(["sh", str(script)], capture_output=True, check=True)
    assert made == {path.name: path.read_text() for path in folder.iterdir()}
    strong: dict[str, Any] = {"SECRET_KEY": made["secret_key"]}
    for name in ("link_keys", "encryption_keys"):
        key_id, _, key = made[name].partition(":")
        strong[name.upper()] = {key_id: bytes.fromhex(key)}
    rules = (validation._secret_key, validation._key_rings)
    assert [line for rule in rules for line in rule(strong)] == []


def test_containers_of_the_portal_write_nowhere_and_need_no_right_of_root(
    compose: dict[str, Any],
) -> None:
    for name in (*PORTAL_SERVICES, "nginx"):
        service = compose["services"][name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["tmpfs"] == ["/tmp"], name
    for name, service in compose["services"].items():
        assert "no-new-privileges:true" in service["security_opt"], name
    image = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001:10001$", image, flags=re.MULTILINE)


def members(compose: dict[str, Any], network: str) -> set[str]:
    return {name for name, one in compose["services"].items() if network in one["networks"]}


@pytest.mark.parametrize("network", CALLERS)
def test_data_are_reached_from_inside_alone(network: str, compose: dict[str, Any]) -> None:
    assert compose["networks"][network] == {"internal": True}
    assert members(compose, network) == CALLERS[network]


@pytest.mark.requirement("OP-12")
def test_containers_reach_the_internet_only_where_they_need_it(compose: dict[str, Any]) -> None:
    """Web contacts sign-in providers, workers send mail; each has its own network for that."""
    for name, service in compose["services"].items():
        assert set(service["networks"]) <= set(compose["networks"]), name
    published = compose["networks"]["front"]["driver_opts"]
    assert published == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    assert members(compose, "front") == {"nginx"}
    inside = {name for name, one in compose["networks"].items() if one == {"internal": True}}
    ways_out = set(compose["networks"]) - inside - {"front"}
    assert {name: members(compose, name) for name in ways_out} == {
        network: {service} for service, network in WAYS_OUT.items()
    }


@pytest.mark.requirement("OP-11")
def test_the_stores_inner_services_listen_on_loopback(compose: dict[str, Any]) -> None:
    """They have no authentication: anyone who reaches volume or filer can access every blob."""
    (command,) = compose["services"]["store"]["entrypoint"][2:]
    flags = dict(flag.split("=") for flag in re.findall(r" -(\S+=\S+)", command))
    assert (flags["ip"], flags["ip.bind"]) == ("127.0.0.1", "127.0.0.1")
    assert flags["s3.ip.bind"] == "0.0.0.0"  # noqa: S104
    assert (flags["s3.port.lance"], flags["s3.port.iceberg"]) == ("0", "0")


@pytest.mark.requirement("OP-11")
def test_the_store_of_compose_opens_only_its_s3_ports_to_others(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    """Run exactly its command, on free ports and in a separate folder."""
    (command,) = compose["services"]["store"]["entrypoint"][2:]
    ports = {f"{role}.{kind}": services.free_port() for role, kind in s3.INNER_PORTS}
    s3_ports = {"s3.port": services.free_port(), "s3.port.grpc": services.free_port()}
    flags = (
        command.partition("/entrypoint.sh ")[2].replace("-dir=/data", f"-dir={tmp_path}").split()
    )
    flags = [flag for flag in flags if not flag.startswith("-s3.port=")]
    weed = str(Path(sys.executable).with_name("weed"))
    extra = [f"-{name}={port}" for name, port in {**ports, **s3_ports}.items()]
    keys = {"AWS_ACCESS_KEY_ID": s3.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY}
    process = services.start([weed, *flags, *extra], tmp_path / "log", os.environ | keys)
    try:
        services.wait_until(
            lambda: {*ports.values(), *s3_ports.values()} <= set(proc.listening(process.pid)),
            "the store",
        )
        everywhere = proc.listening(process.pid)
    finally:
        services.stop(process)
    loopback = {port for port, address in everywhere.items() if address == "127.0.0.1"}
    assert loopback == set(ports.values())
    assert set(everywhere) - loopback == set(s3_ports.values())


@pytest.mark.requirement("ST-11")
def test_each_outside_secret_is_a_file_of_the_one_container_that_uses_it(
    compose: dict[str, Any],
) -> None:
    wanted = {"web": ("/srv/sign_in", "_CLIENT_SECRET_FILE"), "worker": ("/srv/mail", "EMAIL_PASS")}
    for name in PORTAL_SERVICES:
        service = compose["services"][name]
        mounted = {volume.split(":")[1] for volume in service["volumes"]}
        for owner, (folder, variable) in wanted.items():
            assert (folder in mounted) == (name == owner), f"{name}: {folder}"
            variables = [each for each in service["environment"] if variable in each]
            assert bool(variables) == (name == owner), f"{name}: {variables}"


def test_every_container_has_a_health_check(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        asked = service["healthcheck"]
        assert asked.get("test") or name in {"beat", "prepare"}, name
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()


def test_images_are_named_with_a_version(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if "build" not in service:
            assert re.search(r":\d", service["image"]), name
    bases = re.findall(r"^ARG PYTHON=(\S+)$", (ROOT / "Dockerfile").read_text(), flags=re.M)
    assert [base for base in bases if re.search(r":3\.\d+-slim-\w+", base)] == bases != []
    froms = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), flags=re.M)
    assert set(froms) == {"${PYTHON}"}


def test_every_variable_of_compose_is_in_the_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / "deploy" / ".env.example").read_text()
    asked = set(re.findall(r"\$\{([A-Z0-9_]+)", text))
    given = set(re.findall(r"^([A-Z0-9_]+)=", example, flags=re.MULTILINE))
    assert asked == given


def test_every_variable_given_to_the_portal_is_one_it_reads(compose: dict[str, Any]) -> None:
    sources = [*(ROOT / "portal").rglob("*.py")]
    read = set(re.findall(r'"([A-Z][A-Z0-9_]+)"', "".join(path.read_text() for path in sources)))
    of_boto = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
    assert set(compose["services"]["web"]["environment"]) <= read | of_boto


def test_the_image_takes_only_what_it_needs() -> None:
    # The stage of the documentation takes all that the list allows.
    copied = re.findall(r"^COPY (?!--from|\. )(\S+)", (ROOT / "Dockerfile").read_text(), flags=re.M)
    allowed = set((ROOT / ".dockerignore").read_text().split())
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in allowed, name


def test_podman_differs_only_in_names_and_networks(compose: dict[str, Any]) -> None:
    """Its file replaces nginx's name server, limits the others, and keeps the ways out apart."""
    text = (ROOT / "deploy" / "podman.yml").read_text()
    differs = yaml.safe_load(text.replace("!override", ""))
    assert set(differs) == {"services", "networks", "x-names"}
    assert {name: set(service) for name, service in differs["services"].items()} == {
        "nginx": {"command"},
        **{name: {"dns_opt"} for name in PORTAL_SERVICES},
    }
    assert (ROOT / "deploy" / "nginx.conf").read_text().count("127.0.0.11") == 1
    outside = {name for name, one in compose["networks"].items() if one != {"internal": True}}
    assert set(differs["networks"]) == outside
    for network in differs["networks"].values():
        assert network == {"driver_opts": {"isolate": "true"}}


def test_the_image_dumps_the_database_of_compose(compose: dict[str, Any]) -> None:
    """pg_dump refuses a server that is newer than itself."""
    server = re.match(r"postgres:(\d+)", compose["services"]["postgres"]["image"])
    image = (ROOT / "Dockerfile").read_text()
    assert server is not None
    assert re.findall(r"postgresql-client-(\d+)", image) == [server[1]]
    assert f"/usr/lib/postgresql/{server[1]}/bin/pg_dump" in image


def _has_compose_plugin() -> bool:
    docker = shutil.which("docker")
    return (
        bool(docker)
        and not subprocess.run(
            [str(docker), "compose", "version"], capture_output=True, check=False
        ).returncode
    )


@pytest.mark.skipif(not _has_compose_plugin(), reason="this machine has no compose plugin")
def test_compose_itself_finds_no_fault(tmp_path: Path) -> None:
    example = (ROOT / "deploy" / ".env.example").read_text()
    (tmp_path / ".env").write_text(re.sub(r"^([A-Z0-9_]+)=$", r"\1=x", example, flags=re.M))
    command = ["docker", "compose", "--env-file", str(tmp_path / ".env"), "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


# -- the commands -------------------------------------------------------------------------


def test_an_unknown_process_is_refused_with_the_known_ones() -> None:
    command = [sys.executable, "-m", "portal.processes", "mail"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "web|worker|beat" in done.stderr


def test_the_number_of_threads_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_THREADS", "7")
    command = processes.web("127.0.0.1:1")
    assert command[command.index("--threads") + 1] == "7"


@pytest.mark.parametrize(("threads", "downloads"), [("4", "3"), ("32", "24"), ("128", "96")])
def test_downloads_leave_threads_to_pages(threads: str, downloads: str) -> None:
    assert _setting("DOWNLOADS_AT_ONCE", WEB_THREADS=threads) == downloads


def test_a_cap_that_leaves_pages_no_thread_is_refused_by_name() -> None:
    assert "DOWNLOADS_AT_ONCE: 32" in _setting(
        "DOWNLOADS_AT_ONCE", WEB_THREADS="32", DOWNLOADS_AT_ONCE="32"
    )


def _setting(name: str, **environment: str) -> str:
    """What a process started in this environment has for a setting, or its complaint."""
    code = f"from portal.settings import base; print(base.{name})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout or done.stderr).strip()


# -- nginx --------------------------------------------------------------------------------


@pytest.mark.needs("nginx")
def test_nginx_finds_no_fault_in_its_configuration(tmp_path: Path) -> None:
    conf = shutil.copy(NGINX, tmp_path)
    includes(tmp_path)
    command = [str(tools.find("nginx")), "-t", "-c", str(conf), "-e", "stderr"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@pytest.mark.requirement("RG-6", "RG-7")
@pytest.mark.needs("nginx")
def test_nginx_sends_blobs_as_the_portal_would(
    store: Path, open_tier: Tier, start_front: Callable[..., Front]
) -> None:
    front = start_front(ACCEL_LOCATION="/blobs/")
    revision = factories.published("acme/small", open_tier)
    file = revision.files.get(path="model.safetensors")
    content = factories.SMALL_MODEL[file.path]
    path = "/acme/small/resolve/main/model.safetensors"

    status, headers, body = front.get(path)
    assert (status, body) == (200, content)
    assert headers["ETag"] == f'"{file.etag}"'
    assert headers["X-Repo-Commit"] == revision.sha
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"]
    assert "Content-Encoding" not in headers
    assert "X-Accel-Redirect" not in headers

    direct = ask(Request(front.portal.url + path))
    assert "X-Accel-Redirect" in direct[1], "the portal handed the file to nginx"

    assert front.get(path, "HEAD")[1]["Content-Length"] == str(len(content))
    status, headers, body = front.get(path, Range="bytes=5-9")
    assert (status, body) == (206, content[5:10])
    assert headers["Content-Range"] == f"bytes 5-9/{len(content)}"
    assert headers["ETag"] == f'"{file.etag}"'
    assert front.get(path, Range="bytes=0-1,4-5")[::2] == (200, content)
    assert front.get(path, Range=f"bytes={len(content)}-")[0] == 416


@pytest.mark.needs("nginx")
def test_conditional_requests_are_answered_by_the_portal_behind_nginx(
    store: Path, open_tier: Tier, start_front: Callable[..., Front]
) -> None:
    front = start_front(ACCEL_LOCATION="/blobs/")
    revision = factories.published("acme/small", open_tier)
    file = revision.files.get(path="model.safetensors")
    path, tag = "/acme/small/resolve/main/model.safetensors", f'"{file.etag}"'
    assert front.get(path, If_None_Match=tag)[0] == 304
    assert front.get(path, If_Match='"other"')[0] == 412
    status, _, body = front.get(path, If_Match=tag, Range="bytes=0-3")
    assert (status, body) == (206, factories.SMALL_MODEL[file.path][:4])
    status, _, body = front.get(path, If_Range=tag, Range="bytes=0-3")
    assert (status, body) == (206, factories.SMALL_MODEL[file.path][:4])
    assert front.get(path, If_Range='"other"', Range="bytes=0-3")[0] == 200


@pytest.mark.requirement("GT-1")
@pytest.mark.needs("nginx")
def test_nobody_reaches_a_blob_past_the_gate(
    store: Path, gated_tier: Tier, start_front: Callable[..., Front]
) -> None:
    front = start_front(ACCEL_LOCATION="/blobs/")
    revision = factories.published("acme/gated", gated_tier)
    sha256 = revision.files.get(path="model.safetensors").sha256
    assert front.get(f"/blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}")[0] == 404
    assert front.get("/acme/gated/resolve/main/model.safetensors")[0] == 401


@pytest.mark.requirement("UR-15")
@pytest.mark.needs("nginx")
def test_the_log_of_nginx_holds_no_secret_of_a_link(
    store: Path, open_tier: Tier, start_front: Callable[..., Front]
) -> None:
    front = start_front()
    token = f"very-secret-{'x' * 10}.1234567890.t1.{'y' * 43}"
    secrets = (
        *("/d/very-secret-token/model.safetensors", "/d%2Fvery-secret-token/x"),
        *("/%64/very-secret-token/model.safetensors", "//d/very-secret-token/x"),
        *("/./d/very-secret-token/x", f"/x/../d/{token}/x", f"/D/{token}/x"),
        "/f/acme/small/x/y?e=1&k=t1&s=very-secret-signature",
        *("/accounts/password/reset/key/1-very-secret/", "/accounts/confirm-email/very-secret/"),
    )
    for path in secrets:
        front.get(path)
    front.portal.kill("web")
    ask(Request(f"{front.store_url}/bucket/x?X-Amz-Signature=very-secret"))
    for path in secrets:
        assert front.get(path)[0] == 502
    assert front.get("/last")[0] == 502
    # Each worker of nginx writes its own lines, so the last request's line may not be the last.
    refused = re.compile(r'" [45]\d\d ')
    services.wait_until(
        lambda: len(refused.findall(front.log.read_text())) == 2 * len(secrets) + 2, "the log"
    )
    log = front.log.read_text()
    assert log.count("connect() failed") == 1, "of the last, which holds no secret"
    assert "very-secret" not in log
    assert log.count("/d/-") == 12
    assert log.count("/accounts/-") == 4


@pytest.mark.requirement("UR-15")
@pytest.mark.needs("nginx")
def test_an_error_of_nginx_for_a_blob_does_not_reveal_the_link(
    store: Path, applicant: User, open_tier: Tier, start_front: Callable[..., Front]
) -> None:
    front = start_front(ACCEL_LOCATION="/blobs/not-here/")
    factories.published("acme/small", open_tier)
    folder = urlsplit(links.issue_now(applicant, "acme/small", 1)).path
    assert front.get(f"{folder}model.safetensors")[0] >= 400
    services.wait_until(lambda: "/d/-" in front.log.read_text(), "the log")
    assert folder.split("/")[2] not in front.log.read_text()


@pytest.mark.needs("nginx")
def test_the_store_gives_signed_reads_through_nginx_and_takes_nothing(
    s3_store: str, open_tier: Tier, start_front: Callable[..., Front], s3_server: s3.Store
) -> None:
    front = start_front()
    factories.published("acme/small", open_tier)
    status, headers, _ = front.get("/acme/small/resolve/main/model.safetensors")
    assert status == 302
    assert headers["Location"].startswith(f"{front.store_url}/{s3.BUCKET}/")
    status, _, body = ask(Request(headers["Location"], headers={"Range": "bytes=1-3"}))
    assert (status, body) == (206, factories.SMALL_MODEL["model.safetensors"][1:4])
    put = Request(headers["Location"], data=b"other bytes", method="PUT")
    assert ask(put)[0] == 403
    assert ask(Request(f"{front.store_url}/{s3.BUCKET}/probe"))[0] == 403


@pytest.mark.needs("nginx")
def test_a_form_beyond_the_limit_is_refused_by_nginx(
    store: Path, start_front: Callable[..., Front]
) -> None:
    front = start_front()
    big = Request(f"{front.url}/healthz", data=b"x" * 3_000_000, method="POST")
    assert ask(big)[0] == 413
