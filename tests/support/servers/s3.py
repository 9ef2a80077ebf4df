"""A real S3 store for tests: SeaweedFS from its Python package."""

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.servers import services

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ACCESS_KEY = "suite-access"
SECRET_KEY = "suite-secret"
BUCKET = "weighbridge-suite"
#: A second bucket, with versioning.
VERSIONED = "weighbridge-versions"
#: The minimum size in bytes of an upload's part in S3.
SMALLEST_PART = 5 << 20

#: The options of SeaweedFS's other ports, in two parts.
INNER_PORTS = [
    (role, kind) for role in ("master", "volume", "filer") for kind in ("port", "port.grpc")
]
#: Attempts to start, because another program may take one of the eight ports first.
STARTS = 3


class Ended(Exception):
    """The store's process exited while starting; the message is the end of its log."""


@dataclass
class Store:
    """A running S3 store with the bucket `BUCKET`."""

    endpoint: str
    process: subprocess.Popen[bytes] | None = None
    #: The command that starts it, and its log file.
    command: list[str] = field(default_factory=list)
    log: Path = Path(os.devnull)

    def start(self) -> None:
        """Start its process; content persists over a `stop`."""
        self.process = services.start(self.command, self.log)
        self.wait()

    def stop(self) -> None:
        """Kill its process."""
        if self.process is not None:
            services.stop(self.process)

    def client(self) -> "S3Client":
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
            config=Config(signature_version="s3v4", retries={"max_attempts": 1}),
        )

    def versioned(self) -> str:
        """The URL of an empty prefix in the bucket with versioning."""
        client = self.client()
        if VERSIONED not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=VERSIONED)
        status = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration=status)  # type: ignore[arg-type]
        return f"s3://{VERSIONED}/{uuid.uuid4().hex}"

    def wait(self) -> None:
        """Wait until a PUT succeeds, because the port opens before the volumes are ready."""
        services.wait_until(self._takes_writes, "the S3 store", pause=0.2)

    def _takes_writes(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise Ended(self.log.read_text(errors="replace")[-2000:])
        try:
            client = self.client()
            if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="probe", Body=b"probe")
        except (BotoCoreError, ClientError):
            return False
        return True


def start(folder: Path, *options: str) -> Store:
    """Start a store with its data in `folder`; return once it accepts writes.

    `options` are additional options of `weed server`.
    """
    (folder / "volumes").mkdir(parents=True)
    keys = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "suite", "credentials": [keys], "actions": actions}
    identities = folder / "identities.json"
    identities.write_text(json.dumps({"identities": [identity]}))
    for left in reversed(range(STARTS)):
        port = services.free_port()
        command = [*_command(folder / "volumes", port, identities), *options]
        store = Store(f"http://127.0.0.1:{port}", command=command, log=folder / "log")
        try:
            store.start()
        except Ended:
            if not left:
                raise
        else:
            break
    return store


def _command(volumes: Path, port: int, identities: Path) -> list[str]:
    """The command of a process with its own ports, so that sessions do not collide."""
    return [
        # Without its own folder, it leaves six log files in TMPDIR at each start.
        *(str(Path(sys.executable).with_name("weed")), f"-logdir={volumes}", "server", "-s3"),
        *(f"-dir={volumes}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-{role}.{kind}={services.free_port()}" for role, kind in INNER_PORTS),
        *(f"-s3.port={port}", f"-s3.port.grpc={services.free_port()}"),
        *(f"-s3.config={identities}", "-s3.port.lance=0", "-s3.port.iceberg=0"),
        *("-volume.max=0", "-master.volumeSizeLimitMB=1024", "-volume.preStopSeconds=0"),
    ]
