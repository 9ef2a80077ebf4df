"""Build our image from Dockerfile, and the images it needs, from Debian and pip packages.

No image registry is needed. The images of other projects have the names that docker-compose.yml
uses, and the same programs, users and entry points as far as that file relies on them.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tests.containers.podman import FOLDER, podman
from tests.support.servers.live import ROOT

_SOURCES = Path(__file__).parent / "images"
_SUITE = "trixie"
BASE = f"localhost/weighbridge-base:{_SUITE}"
_PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
#: Where this machine's pip finds packages; each that it has is passed on to the build alone.
_PIP_OPTIONS = {
    *("index-url", "extra-index-url", "find-links", "cert", "trusted-host", "proxy"),
    *("default-timeout", "timeout"),
}


def build_all() -> None:
    """Build what is missing; an image is built again when its sources have changed."""
    if podman("image", "exists", BASE, check=False).returncode:
        _build_base()
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for folder in sorted(_SOURCES.iterdir()):
        with tempfile.TemporaryDirectory() as context:
            shutil.copytree(folder, context, dirs_exist_ok=True)
            if folder.name == "store":
                shutil.copy(Path(sys.executable).with_name("weed"), context)
            _build(services[folder.name]["image"], Path(context), f"--build-arg=BASE={BASE}")
    with tempfile.TemporaryDirectory() as scratch:
        _build(
            "localhost/weighbridge:latest",
            ROOT,
            f"--build-arg=PYTHON={BASE}",
            "--ignorefile=.dockerignore",
            *_pip_volumes(Path(scratch)),
        )


def size(image: str) -> int:
    """Bytes of the image's files, those of its base included."""
    return int(podman("image", "inspect", image, "--format", "{{.Size}}").stdout)


def _build_base() -> None:
    """A minimal Debian with Python, in the place of `python:3.13-slim-trixie`."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        root = Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root)]
        subprocess.run(command, check=True, capture_output=True, timeout=1800)
        for unused in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc"):
            shutil.rmtree(root / unused, ignore_errors=True)
        archive = Path(folder) / "root.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
        podman("import", str(archive), BASE, timeout=600)


def _build(name: str, context: Path, *options: str) -> None:
    """Build an image unless its sources are those of the last build."""
    full = name if name.startswith("localhost/") else f"docker.io/{_with_library(name)}"
    digest, label = _digest(context), "weighbridge.sources"
    wanted = f'{{{{index .Labels "{label}"}}}}'
    present = podman("image", "inspect", full, "--format", wanted, check=False)
    if present.stdout.strip() != digest:
        labelled = ("--label", f"{label}={digest}", "--tag", full)
        podman("build", "--network=host", *labelled, *options, str(context), timeout=3600)


def _with_library(name: str) -> str:
    return name if "/" in name else f"library/{name}"


def _digest(context: Path) -> str:
    """SHA-256 of the names and contents of the files that a build may read."""
    digest = hashlib.sha256()
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    files = [ROOT / name for name in listed] if context == ROOT else context.rglob("*")
    kept = {
        *("portal", "accounts", "weights", "templates", "static", "manage.py"),
        *("requirements.txt", "requirements-docs.txt", "Dockerfile", ".dockerignore"),
        *("docs", "bench", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"),
    }
    for path in sorted(files):
        inside = path.relative_to(context)
        if path.is_file() and (context != ROOT or inside.parts[0] in kept):
            digest.update(f"{inside}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _pip_volumes(scratch: Path) -> Iterator[str]:
    """This machine's configuration of pip, mounted for the build, so that no layer keeps it."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2]
        if option in _PIP_OPTIONS:
            found[option] = value.strip("'").replace("\\n", " ")
    lines = ["[global]", *(f"{option} = {value}" for option, value in found.items())]
    (scratch / "pip.conf").write_text("\n".join(lines) + "\n")
    yield f"--volume={scratch}/pip.conf:/etc/pip.conf:ro"
    for word in " ".join(found.values()).split():
        path = Path(urlsplit(word).path)
        # An index on disk, `…/simple`, names files beside it.
        path = path.parent if path.name == "simple" else path
        if word.startswith(("file:///", "/")) and path.exists():
            yield f"--volume={path}:{path}:ro"
