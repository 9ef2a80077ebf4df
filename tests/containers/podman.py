"""Podman with its own storage, networks and settings, apart from the machine's containers."""

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from tests.support.servers.live import ROOT

#: Images and layers; they stay for the next run. `make containers-clean` removes them.
FOLDER = Path(os.environ.get("CONTAINERS_DIR") or "/var/tmp/weighbridge-containers")
COMPOSE = ROOT / ".venv-containers" / "bin" / "podman-compose"
#: The programs that build and run images, by Debian's packages of the same names.
PROGRAMS = ("podman", "buildah", "runc", "debootstrap", "nsenter", "iptables")

# runc, because crun refuses the mixed cgroups of some virtual machines; limits below what these
# machines allow, because podman's defaults are refused without CAP_SYS_RESOURCE.
_CONTAINERS = """\
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "/run/weighbridge-containers"
"""


def missing() -> str:
    """Why containers cannot run here; empty if they can."""
    if os.geteuid() != 0:
        return "containers with networks of their own need root"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if not COMPOSE.exists():
        absent.append("podman-compose")
    return f"not installed: {', '.join(absent)}" if absent else ""


@lru_cache(maxsize=1)
def _configured() -> dict[str, str]:
    """Write Podman's files of settings once: it may read them at any time. Returns their names."""
    (FOLDER / "networks").mkdir(parents=True, exist_ok=True)
    files = {}
    for name, text in (("CONTAINERS_CONF", _CONTAINERS), ("CONTAINERS_STORAGE_CONF", _STORAGE)):
        path = FOLDER / f"{name.lower()}.toml"
        path.write_text(text.format(folder=FOLDER))
        files[name] = str(path)
    return files


def environment() -> dict[str, str]:
    """The environment of podman and podman-compose."""
    files = _configured()
    # Health checks are asked for by the tests: Podman's own timers need systemd.
    return {**os.environ, **files, "DISABLE_HC_SYSTEMD": "true"}


def podman(
    *arguments: str, check: bool = True, timeout: float = 600, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run podman. AssertionError with its output if it fails and `check` is true."""
    done = subprocess.run(
        ["podman", *arguments],
        env=environment(),
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert not check or done.returncode == 0, f"podman {arguments}: {done.stdout}{done.stderr}"
    return done
