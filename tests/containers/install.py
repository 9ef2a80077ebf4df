"""The containers as an install for tests/chaos, and a reader whose access ends."""

import os
import subprocess
import sys
import time
from contextlib import suppress

import requests

from tests.chaos.cast import Person
from tests.chaos.downloads import Revoker
from tests.chaos.scene import Scene
from tests.containers import people
from tests.containers.stack import BOUND, Stack, report
from tests.support.servers.install import Install
from tests.support.servers.live import ROOT

#: Networks by which this machine reaches the servers behind the portal.
_NETWORKS = {"postgres": "database", "redis": "queue", "store": "store"}
#: Variables of the container itself.
_OWN = ("PATH", "HOME", "TERM", "container", "HOSTNAME")


class ContainerInstall(Install):
    """Commands run on this machine, with the settings of a web container."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack.folder, stack.port, stack.folder / "log")
        self.stack = stack
        self._addresses: dict[str, str] = {}
        pairs = stack.inspect(stack.names("web")[0])["Config"]["Env"]
        self._variables = dict(pair.split("=", 1) for pair in pairs)

    @property
    def url(self) -> str:
        return self.stack.url

    @property
    def environment(self) -> dict[str, str]:
        """The container's settings, with paths and addresses that work on this machine."""
        for service, network in _NETWORKS.items():
            with suppress(KeyError, AssertionError):  # while it restarts
                if address := self.stack.address(service, network):
                    self._addresses[service] = address
        changed = {
            name: self._outside(value)
            for name, value in self._variables.items()
            if name not in _OWN
        }
        return {"PATH": os.environ["PATH"], "HOME": "/root", **changed}

    def _outside(self, value: str) -> str:
        value = value.replace("/run/secrets/", f"{self.stack.folder}/deploy/secrets/")
        for service, address in self._addresses.items():
            for before in ("@", "//"):
                value = value.replace(f"{before}{service}:", f"{before}{address}:")
        return value

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def child(self, name: str) -> int:
        """The first process of one of the service's containers, each call another one's.

        The broker is restarted and not killed: Podman may not do both at once.
        """
        if name == "broker":
            return 0
        names = self.stack.names(name)
        with suppress(AssertionError):
            return self.stack.pid(names[int(time.monotonic()) % len(names)])
        return 0


class LateReader(Revoker):
    """A revoker that keeps each address of the store, to try it when its time is over."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        #: Name -> the address, and the clock's seconds before the revocation.
        self._addresses: dict[str, str] = {}
        self._revoked: dict[str, float] = {}

    def _begun(self, address: str, holder: Person) -> requests.Response:
        response = super()._begun(address, holder)
        if response.history:
            self._addresses[holder.name] = response.history[0].headers["Location"]
        return response

    def _revoke(self, holder: Person) -> None:
        self._revoked.setdefault(holder.name, time.time())
        super()._revoke(holder)

    def check(self) -> None:
        """Every address of the store has ended within its bound after the revocation."""
        assert self._revoked, "nobody was revoked"
        time.sleep(max(0.0, max(self._revoked.values()) + BOUND - time.time()))
        left = []
        for name, address in self._addresses.items():
            left.append(people.end(address) - self._revoked[name])
            answer = requests.get(address, timeout=60)
            assert answer.status_code == 403, f"{name} got {answer.status_code} after {BOUND} s"
        report(
            f"{len(self._revoked)} revocations: the portal refuses at once; addresses of the store"
            f" ended at most {max(left):.0f} s later, the bound is {BOUND} s"
        )
