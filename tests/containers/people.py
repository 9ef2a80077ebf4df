"""What applicants, reviewers and publishers do on a stack, with its pages, API and commands."""

import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from tests.containers.stack import Stack
from tests.support import factories
from tests.support.http.visitor import Visitor

TIER = "opt-175b"
#: How many different contents the shards of a publication have.
BLOBS = 62


@dataclass(frozen=True)
class Download:
    """One run of `hf download`: its exit code, its last words, and the files that differ."""

    code: int
    words: str
    wrong: list[str]


def account(stack: Stack, name: str, *options: str) -> None:
    """Create an account by the command that docs/containers.md names."""
    words = ("create_account", name, f"{name}@example.org", "--password-stdin", *options)
    stack.manage(*words, given=factories.PASSWORD)


def token(stack: Stack, name: str, scope: str = "read-gated") -> str:
    return stack.manage("create_token", name, "--scope", scope).split()[-1]


def publish(stack: Stack, repo_id: str, folder: Path, count: int) -> dict[str, str]:
    """Write `count` small shards and publish them by a container; returns path -> SHA-256."""
    random, files = Random(repo_id), {}
    # Each blob is inspected by a process of its own, so some shards share their bytes.
    contents = [factories.safetensors(random.randbytes(2000)) for _ in range(BLOBS)]
    folder.mkdir()
    for number in range(1, count + 1):
        name = f"model-{number:05}-of-{count:05}.safetensors"
        content = contents[number % BLOBS]
        (folder / name).write_bytes(content)
        files[name] = hashlib.sha256(content).hexdigest()
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    stack.compose(
        *("run", "--rm", "--no-deps", "--volume", f"{folder}:/mnt/model:ro", "worker"),
        *("python", "manage.py", "publish", "/mnt/model", repo_id, "--tier", TIER, "--wait"),
        timeout=900,
    )
    return files


def apply(stack: Stack, bearer: str, name: str) -> None:
    """Fill in and submit an application by the API."""

    def call(method: str, path: str, body: Any = None) -> dict[str, Any]:
        response = requests.request(
            method,
            f"{stack.url}/api/v1/applications{path}",
            json=body,
            headers={"Authorization": f"Bearer {bearer}"},
            timeout=60,
        )
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        found: dict[str, Any] = response.json()
        return found

    path = f"/{call('POST', '', {'tier': TIER})['id']}"
    answers = {key: value for key, value in factories.ANSWERS.items() if key != "licence_accept"}
    answers["work_email"] = f"{name}@example.org"
    call(
        "PUT", f"{path}/answers", {"answers": answers, "seen_version": call("GET", path)["version"]}
    )
    application = call("GET", path)
    call(
        "POST",
        f"{path}/submit",
        {
            "licence_accept": True,
            "licence_sha256": application["terms"]["text_sha256"],
            "seen_version": application["version"],
        },
    )


def approve(stack: Stack, reviewer: str) -> None:
    """Sign in, open the next application of the queue, and approve it."""
    visitor = Visitor(stack.url)
    visitor.visit("/accounts/login/?next=/admin/")
    visitor.submit("Sign in", login=reviewer, password=factories.PASSWORD)
    page = visitor.visit("/admin/accounts/application/next/")
    found = re.search(r"/application/(\d+)/change/$", visitor.page.url)
    secret = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found is not None, visitor.page.url
    assert secret is not None
    address = f"{stack.url}/admin/accounts/application/{found[1]}/decide/approve/"
    answer = visitor.session.post(
        address,
        data={"days": "30", "confirmed": "on", "csrfmiddlewaretoken": secret[1]},
        headers={"Accept": "application/json", "Referer": address},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text


def hf_download(
    stack: Stack, repo_id: str, into: Path, bearer: str, files: dict[str, str]
) -> Download:
    """`hf download` as documented, with its own retries alone; compares every file that it left."""
    into.mkdir(exist_ok=True)
    variables = {
        **{"PATH": "/usr/bin:/bin", "HOME": str(into), "HF_ENDPOINT": stack.url},
        **{"HF_TOKEN": bearer, "HF_HUB_DISABLE_UPDATE_CHECK": "1"},
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    program = str(Path(sys.executable).with_name("hf"))
    done = subprocess.run(
        [program, "download", repo_id, "--local-dir", str(into / "model")],
        env=variables,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    wrong = [
        name
        for name, digest in files.items()
        if (path := into / "model" / name).exists()
        and hashlib.sha256(path.read_bytes()).hexdigest() != digest
    ]
    if done.returncode == 0:
        wrong += [name for name in files if not (into / "model" / name).exists()]
    return Download(done.returncode, (done.stderr or done.stdout)[-1500:], wrong)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def lifetime(address: str) -> int:
    """Seconds for which a presigned address works."""
    return int(parse_qs(urlsplit(address).query)["X-Amz-Expires"][0])


def end(address: str) -> float:
    """When a presigned address ends, in seconds since the epoch."""
    (signed,) = parse_qs(urlsplit(address).query)["X-Amz-Date"]
    begun = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return begun.timestamp() + lifetime(address)
