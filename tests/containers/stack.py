"""The unchanged docker-compose.yml, run by podman-compose with its own secrets and ports."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.chaos.postbox import Postbox
from tests.containers.podman import COMPOSE, environment, podman
from tests.support.servers import services
from tests.support.servers.live import ROOT

#: The services that run, in docker-compose.yml's words, without the one-shot `prepare`.
DATA = ("postgres", "redis", "store")
OURS = ("web", "worker", "beat", "nginx")
RUNNING = (*OURS, *DATA)
_ARP_NOTIFY = Path("/proc/sys/net/ipv4/conf/all/arp_notify")
#: Seconds after which an address of the store has ended (FILE_LINK_LIFETIME_MOST).
BOUND = 60


class Stack:
    """A project folder with copies of the released files, and the containers made from it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port, self.store_port = services.free_port(), services.free_port()
        self.url = f"http://localhost:{self.port}"
        shutil.copy(ROOT / "docker-compose.yml", folder)
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        self._write_settings(settings)
        self._make_keys()

    def _write_settings(self, settings: dict[str, str]) -> None:
        """Fill in .env.example as its comments say."""
        values = {
            "PUBLIC_URL": self.url,
            "S3_PUBLIC_ENDPOINT_URL": f"http://localhost:{self.store_port}",
            "HTTP_PORT": str(self.port),
            "STORE_PORT": str(self.store_port),
            **settings,
        }
        text = (ROOT / "deploy/.env.example").read_text()
        for name, value in values.items():
            text, found = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
            assert found == 1, f"{name} is not in .env.example"
        (self.folder / ".env").write_text(text)

    def _make_keys(self) -> None:
        self._run("sh", "deploy/secrets.sh")
        signing = self.folder / "deploy/signing"
        manifest = "openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt"
        self._run("sh", "-c", f"{manifest} -out {signing}/manifest.pem")
        self._run("openssl", "genpkey", "-algorithm", "ed25519", "-out", f"{signing}/audit.pem")
        for key in signing.glob("*.pem"):
            key.chmod(0o600)
            os.chown(key, 10001, 10001)

    # -- containers -------------------------------------------------------------------------

    def compose(self, *arguments: str, check: bool = True, timeout: float = 600) -> str:
        """Run podman-compose in the project's folder; returns its output."""
        files = ("-f", "docker-compose.yml", "-f", "deploy/podman.yml")
        return self._run(str(COMPOSE), *files, *arguments, check=check, timeout=timeout)

    def up(self) -> float:
        """Start everything; returns the seconds until ready.

        In the steps of docs/containers.md: podman-compose waits for dependencies in an order that
        may not end, and containers made with them cannot be replaced one by one.
        """
        begun = time.monotonic()
        start = ("up", "--detach", "--no-deps")
        self.compose(*start, *DATA)
        self.wait(*DATA)
        self.compose("run", "--rm", "--no-deps", "prepare")
        self.compose(*start, *OURS)
        self.wait()
        return time.monotonic() - begun

    def wait(self, *those: str, seconds: float = 300) -> None:
        """Wait until the containers of `those` services, or of all, are healthy."""
        for service in those or RUNNING:
            for name in self.names(service):
                self.wait_for(name, seconds=seconds)
        if not those:
            services.wait_until(self.answers, "nginx", seconds=seconds)

    def wait_for(self, name: str, seconds: float = 300) -> None:
        """Wait until one container is healthy; adds its log to the error if it is not."""
        try:
            services.wait_until(partial(self.is_healthy, name), name, seconds=seconds, pause=1)
        except TimeoutError as error:
            error.add_note(self.logs(name)[-3000:])
            raise

    def answers(self) -> bool:
        with suppress(OSError), urlopen(f"{self.url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def names(self, service: str) -> list[str]:
        """The service's containers, in order of their numbers."""
        label = f"label=com.docker.compose.service={service}"
        listed = podman("ps", "--all", "--filter", label, "--format", "{{.Names}}").stdout
        return sorted(listed.split())

    def is_healthy(self, name: str) -> bool:
        """Run the container's own health check, without its time limit; one without must run.

        The limits are for a machine of one's own; here, ten other things may run beside it.
        """
        facts = self.inspect(name)
        kind, *words = facts["Config"].get("Healthcheck", {}).get("Test", ["NONE"])
        if not facts["State"]["Running"] or kind == "NONE":
            return facts["State"]["Running"] is True
        command = words if kind == "CMD" else ["sh", "-c", *words]
        return podman("exec", name, *command, check=False).returncode == 0

    def inspect(self, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(podman("inspect", name).stdout)
        return found[0]

    def pid(self, name: str) -> int:
        """The container's first process, as this machine numbers it; 0 if it does not run."""
        return int(self.inspect(name)["State"]["Pid"])

    def runs(self, name: str) -> bool:
        return self.pid(name) > 0

    def address(self, service: str, network: str) -> str:
        networks = self.inspect(self.names(service)[0])["NetworkSettings"]["Networks"]
        return str(networks[f"weighbridge_{network}"]["IPAddress"])

    def execute(self, name: str, *command: str, given: str | None = None) -> str:
        """Run a command inside a container; returns its output."""
        return podman("exec", "--interactive", name, *command, given=given).stdout

    def manage(self, *words: str, given: str | None = None) -> str:
        """Run a management command inside a web container; returns its output."""
        return self.execute(self.names("web")[0], "python", "manage.py", *words, given=given)

    def logs(self, name: str) -> str:
        done = podman("logs", name, check=False)
        return done.stdout + done.stderr

    def kill(self, name: str) -> None:
        """Kill the first process from outside, as a crash does; its restart policy applies."""
        os.kill(self.pid(name), 9)

    def replace(self, service: str, name: str) -> None:
        """Remove a container with what it wrote, and start a new one of the same name."""
        count = len(self.names(service))
        podman("rm", "--force", "--time", "0", name)
        self.scale(service, count)

    def scale(self, service: str, count: int) -> None:
        """Start containers of the service until there are `count`."""
        start = ("up", "--detach", "--no-deps", "--no-recreate")
        self.compose(*start, "--scale", f"{service}={count}", service)

    def remove(self) -> None:
        """Remove all containers, networks and volumes, those of an interrupted run included."""
        label = "label=com.docker.compose.project=weighbridge"
        names = podman("ps", "--all", "--quiet", "--filter", label).stdout.split()
        if names:  # podman-compose removes only one container of each service
            podman("rm", "--force", "--time", "1", *names)
        self.compose("down", "--volumes", "--timeout", "1", check=False)

    def _run(self, *command: str, check: bool = True, timeout: float = 600) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def report(line: str) -> None:
    """Write a figure for docs/containers.md to the terminal (`pytest -s`)."""
    sys.stdout.write(f"{line}\n")


@dataclass(frozen=True)
class Running:
    """A stack with a mail server beside it, and the seconds until it was ready."""

    stack: Stack
    box: Postbox
    started_in: float


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Stack]:
    """A stack that is removed at the end, with its volumes."""
    stack = Stack(folder, **settings)
    stack.remove()
    before = _ARP_NOTIFY.read_text()
    _ARP_NOTIFY.write_text("1")  # as docs/containers.md says
    try:
        yield stack
    finally:
        stack.remove()
        _ARP_NOTIFY.write_text(before)
