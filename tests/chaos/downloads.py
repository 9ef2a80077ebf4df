"""Jobs that download: with access, with access that ends meanwhile, and without access."""

import hashlib
import subprocess
import threading
import time
from pathlib import Path

import httpx2
import requests
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from tests.chaos.cast import GATED, OPEN, TIER, Person
from tests.chaos.scene import Job, NotNow, Scene, bearer, demand_definite

_BLOCK = 64 * 1024
#: When a connection fails, the Hub's client closes the session that its threads share, and another
#: thread's retry finds none (observed with huggingface_hub 2.4).
_HUB_CLIENT = threading.Lock()


class Downloader(Job):
    """Downloads whole files with one of three clients, and checks their hashes."""

    def __init__(self, scene: Scene, name: str, person: Person) -> None:
        super().__init__(scene, name)
        self.person = person
        self.folder = scene.folder / name
        self.folder.mkdir()

    def step(self) -> bool:
        repo_id = self.random.choice([OPEN, GATED])
        path = self.random.choice(sorted(self.scene.files))
        how = self.random.choice(["session", "session", "curl", "hub client"])
        if how == "session":
            digest = fetch(self, self.scene.address(repo_id, path), self.person.token)
        else:
            by = self._by_curl if how == "curl" else self._by_hub_client
            digest = hashlib.sha256(by(repo_id, path).read_bytes()).hexdigest()
        if digest != self.scene.files[path]:
            self.scene.is_wrong(f"{how} got {path} of {repo_id} with SHA-256 {digest}")
        self.scene.count_download(self.person.name, how)
        return True

    def _by_curl(self, repo_id: str, path: str) -> Path:
        """Repeat the same command until it succeeds, as a script would."""
        into = self.folder / "by-curl"
        into.unlink(missing_ok=True)
        command = ["curl", "-sSfL", "-C", "-", "--max-time", "60", "-o", str(into)]
        header = f"Authorization: Bearer {self.person.token}"
        address = self.scene.address(repo_id, path)

        def once() -> Path:
            done = subprocess.run(
                [*command, "-H", header, "-w", "%{http_code}", address],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return into
            if done.stdout[-3:] in {"401", "403", "404", "410"}:
                self.scene.is_wrong(f"curl was refused {path} of {repo_id}: {done.stderr}")
                raise AssertionError(done.stderr)
            raise NotNow(done.stderr)

        return self.insist(once)

    def _by_hub_client(self, repo_id: str, path: str) -> Path:
        into = self.folder / f"by-hub-client-{time.monotonic_ns()}"

        def once() -> Path:
            try:
                with _HUB_CLIENT:
                    got = hf_hub_download(
                        repo_id,
                        path,
                        endpoint=self.scene.install.url,
                        local_dir=into,
                        token=self.person.token,
                    )
            except LocalEntryNotFoundError as error:  # the client's error for "no connection"
                raise NotNow(str(error)) from error
            except HfHubHTTPError as error:
                if error.response.status_code in {401, 403, 404, 410}:
                    raise
                raise NotNow(str(error)) from error
            except (httpx2.HTTPError, OSError) as error:  # includes a body that is too short
                raise NotNow(str(error)) from error
            return Path(got)

        return self.insist(once)


def fetch(job: Job, address: str, token: str = "") -> str:
    """Download slowly, resume by range after each failure; returns the SHA-256."""
    digest = hashlib.sha256()
    received = 0

    def rest() -> str:
        nonlocal received
        headers = bearer(token) | ({"Range": f"bytes={received}-"} if received else {})
        response = job.ask("GET", address, headers=headers, stream=True)
        with response:
            if response.history and not response.ok:  # the store's response, not the portal's
                raise NotNow(f"{response.status_code} from the store")
            wanted = 206 if received else 200
            assert response.status_code == wanted, (
                f"{response.status_code} for {address} from byte {received}: {response.text[:300]}"
            )
            length = int(response.headers["Content-Length"])
            begun = received
            try:
                for block in response.iter_content(_BLOCK):
                    digest.update(block)
                    received += len(block)
                    time.sleep(job.random.uniform(0, 0.01))
            except requests.RequestException as error:
                raise NotNow(f"broke off: {error}") from error
            if received - begun < length:
                raise NotNow(f"{received - begun} of {length} bytes")
        return digest.hexdigest()

    return job.insist(rest)


class Revoker(Job):
    """Revokes the access of one holder after another, each in the middle of a download."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, "revoker")
        self._holders = iter(scene.cast.holders)
        self._path = max(scene.files, key=lambda path: path.endswith(".safetensors"))

    def step(self) -> bool:
        holder = next(self._holders, None)
        if holder is None:
            return False
        address = self.scene.address(GATED, self._path)
        with self.insist(lambda: self._begun(address, holder)):
            self.insist(lambda: self._revoke(holder))
            self.scene.revoked.append(holder.name)
            refused = self.insist(
                lambda: self.ask(
                    "GET", address, headers=bearer(holder.token), allow_redirects=False
                )
            )
        code = refused.headers.get("X-Refusal-Code")
        if (refused.status_code, code) != (403, "revoked"):
            self.scene.is_wrong(f"{holder.name} got {refused.status_code} {code} once revoked")
        self.scene.count("revocations")
        return True

    def _begun(self, address: str, holder: Person) -> requests.Response:
        """Start a download; returns the open response."""
        response = self.ask("GET", address, headers=bearer(holder.token), stream=True)
        if response.status_code != 200 and not response.history:
            self.scene.is_wrong(f"{holder.name} got {response.status_code} before the revocation")
        return response

    def _revoke(self, holder: Person) -> None:
        command = self.scene.manage("revoke", holder.name, TIER, "--reason", "the monkey asks")
        _, errors = command.communicate()
        if "Traceback" in errors:
            self.scene.is_wrong(f"revoke failed: {errors[-1500:]}")
        if command.returncode:
            raise NotNow(errors)


class Trespasser(Job):
    """Requests files by every route without access; no byte may be sent."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, "trespasser")

    def step(self) -> bool:
        path = self.random.choice(sorted(self.scene.files))
        headers = {"Range": "bytes=0-99"} if self.random.random() < 0.3 else {}
        address, credential = self._route(path)
        try:
            response = self.session.get(
                address, headers=headers | credential, timeout=(5, 60), allow_redirects=False
            )
        except requests.RequestException:
            time.sleep(0.3)
            return True
        if response.status_code < 400:
            got = f"{response.status_code} at {address} with {credential}"
            self.scene.is_wrong(f"a trespasser got {got}")
        self.scene.count("trespasses refused")
        try:
            demand_definite(self.scene, response)
        except NotNow:
            pass
        time.sleep(self.random.uniform(0.05, 0.3))
        return True

    def _route(self, path: str) -> tuple[str, dict[str, str]]:
        """A URL, and a credential without access to it."""
        gated = self.scene.address(GATED, path)
        without_access = [self.scene.cast.stranger, self.scene.cast.narrow]
        revoked = [one for one in self.scene.cast.holders if one.name in self.scene.revoked]
        return self.random.choice(
            [
                (gated, {}),
                (gated, bearer("wb_" + "x" * 45)),
                *((gated, bearer(one.token)) for one in without_access + revoked[-2:]),
                (f"{self.scene.install.url}/d/{'A' * 22}.1999999999.k1.{'b' * 43}/{path}", {}),
                (f"{self.scene.install.url}/f/{GATED}/{'0' * 40}/{path}?e=1&k=k1&s=x", {}),
            ]
        )
