"""The Helm chart, rendered with several sets of values."""

import copy
import json
import re
import subprocess
from functools import cache
from typing import Any

import yaml

from tests.support import tools
from tests.support.servers import services
from tests.support.servers.live import ROOT

CHART = ROOT / "deploy" / "helm"
BIN = tools.ENVIRONMENTS["helm"] / "bin"
COMPONENTS = ("web", "worker", "beat", "prepare")

Values = dict[str, Any]
MINIMAL: Values = {
    "image": {"repository": "registry.example.org/weighbridge"},
    "settings": {
        "PUBLIC_URL": "https://weights.example.org",
        "DATABASE_URL": "postgres://weighbridge@postgres.example.org/weighbridge",
        "BROKER_URL": "redis://broker@valkey.example.org:6379/0",
        "CACHE_URL": "redis://cache@valkey.example.org:6379/1",
        "WEIGHTS_STORAGE": "s3://weights/prefix",
    },
    "secrets": {"existing": "weighbridge-keys", "files": ["s3_secret_key"]},
}
#: Texts that a search finds wherever the chart writes a secret; the portal validates three.
SECRETS = {
    "secret_key": services.SECRET_KEY,
    "link_keys": services.LINK_KEYS,
    "encryption_keys": services.ENCRYPTION_KEYS,
    **{f"{name}_password": f"hidden-{name}" for name in ("postgres", "broker", "cache", "email")},
    **{f"{name}_client_secret": f"hidden-{name}" for name in ("orcid", "github", "google")},
    "s3_secret_key": "hidden-s3",
}
KEYS = {"manifest.pem": "P-256", "audit.pem": "ed25519", "cdn.pem": "P-256"}


def changed(base: Values, changes: Values) -> Values:
    """A copy of `base` with `changes`, whose keys are paths such as `web.replicas`."""
    values = copy.deepcopy(base)
    for path, value in changes.items():
        *folders, name = path.split(".")
        place = values
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    return values


@cache
def keys() -> dict[str, str]:
    """Every secret that the chart can contain, with real private keys."""
    made = dict(SECRETS)
    for name, curve in KEYS.items():
        kind = ("EC", "-pkeyopt", f"ec_paramgen_curve:{curve}") if curve == "P-256" else (curve,)
        command = ["openssl", "genpkey", "-algorithm", *kind]
        made[name] = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return made


def everything() -> Values:
    """A remote store, a CDN, mail, external sign-in, backups; the chart creates the Secret."""
    settings = {
        "S3_ENDPOINT_URL": "https://store.example.org",
        "S3_PUBLIC_ENDPOINT_URL": "https://store.example.org",
        "AWS_ACCESS_KEY_ID": "weighbridge",
        "CDN_URL": "https://cdn.example.org",
        "CDN_KEY_ID": "K1",
        "EMAIL_URL": "smtp+tls://weighbridge@mail.example.org:587",
        "ORCID_CLIENT_ID": "APP-1",
        "GITHUB_CLIENT_ID": "1",
        "GOOGLE_CLIENT_ID": "2",
        "SCRUB_BYTES_PER_SECOND": 50_000_000,
        "RATE_LIMITS": True,
    }
    changes: Values = {f"settings.{name}": value for name, value in settings.items()}
    changes |= {"secrets": {"values": keys()}, "metrics.enabled": True}
    changes |= {"backup.claim": "backups", "backup.options": ["--no-blobs"]}
    return changed(MINIMAL, changes)


SETS: dict[str, Values] = {
    "minimal": {},
    "shared volume": {
        "settings.WEIGHTS_STORAGE": "file:///srv/weights",
        "weights.claim": "weights",
        "secrets.files": [],
    },
    "ingress with TLS": {"ingress.className": "nginx", "ingress.tlsSecret": "weights-tls"},
    "autoscaling": {"web.autoscaling.enabled": True, "worker.autoscaling.enabled": True},
    "nothing optional": {"ingress.enabled": False, "networkPolicy.enabled": False},
    "placed": {
        "image.pullSecrets": ["registry"],
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "portal", "operator": "Exists"}],
        "serviceAccountName": "weighbridge",
        "networkPolicy.database.to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}],
    },
}


#: The last one is the file in docs/kubernetes.md.
ALL = [*SETS, "everything", "documented"]


def values_of(name: str) -> Values:
    if name == "documented":
        page = (ROOT / "docs" / "kubernetes.md").read_text()
        found: Values = yaml.safe_load(re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)[0])
        return found
    return everything() if name == "everything" else changed(MINIMAL, SETS[name])


def helm(values: Values) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "helm"), "template", "wb", str(CHART), "--values", "-"]
    return subprocess.run(
        command, input=json.dumps(values), capture_output=True, text=True, check=False
    )


@cache
def rendered(name: str) -> str:
    done = helm(values_of(name))
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def parsed(name: str) -> list[dict[str, Any]]:
    return [one for one in yaml.load_all(rendered(name), Loader=yaml.CSafeLoader) if one]


def objects(name: str, kind: str = "") -> list[dict[str, Any]]:
    """The objects for a set of values: all, or those of one kind."""
    return [one for one in parsed(name) if not kind or one["kind"] == kind]


def component(name: str, part: str) -> dict[str, Any]:
    """The Deployment or Job of a component."""
    kind = "Job" if part == "prepare" else "Deployment"
    (found,) = [one for one in objects(name, kind) if one["metadata"]["name"] == f"wb-{part}"]
    return found


def pod(name: str, part: str) -> dict[str, Any]:
    found: dict[str, Any] = component(name, part)["spec"]["template"]["spec"]
    return found


def container(name: str, part: str) -> dict[str, Any]:
    (found,) = pod(name, part)["containers"]
    return dict(found)


def environment(name: str, part: str) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(name, part)["env"]}


def hidden(name: str, part: str) -> set[str]:
    """The keys of the Secret that a component's pod receives."""
    (volume,) = [one for one in pod(name, part)["volumes"] if one["name"] == "secrets"]
    return {item["key"] for item in volume["secret"]["items"]}


@cache
def compose() -> dict[str, Any]:
    """docker-compose.yml, whose containers the chart's pods must match."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found
