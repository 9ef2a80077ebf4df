"""Measure the intake of Xet uploads: bytes of a file per CPU second, and peak memory.

Run from the project's folder: `.venv/bin/python bench/xet.py`. It writes files of 64 MiB and 1 GiB
of bfloat16 weights and packs them like hf_xet, in chunks of 64 KiB, with their bytes grouped and
compressed. For each file, a separate process receives the xorbs, and then rebuilds the file from
the shard. The base is the CPU time of `sha256sum` for the same file.
"""

import hashlib
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lz4.frame
import numpy as np

from bench.support import install
from bench.support.usage import show_help

MIB = 1024 * 1024
SIZES = [64 * MIB, 1024 * MIB]
CHUNK = 64 * 1024
CHUNKS = 1024


def main() -> None:
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="bench-xet-") as name:
            folder = Path(name)
            stored = pack(folder, size)
            done = subprocess.run(
                [sys.executable, __file__, str(folder)], check=True, stdout=subprocess.PIPE
            )
            report(size, stored, json.loads(done.stdout), base(folder / "file"))


def report(size: int, stored: int, measured: dict[str, float], base_seconds: float) -> None:
    rates = {step: size / measured[step] / 1e6 for step in ("receive", "rebuild")}
    whole = size / (measured["receive"] + measured["rebuild"]) / 1e6
    print(
        f"{size // MIB} MiB ({stored / size:.0%} as xorbs): {whole:.0f} MB/s of CPU"
        f" (receive {rates['receive']:.0f}, rebuild {rates['rebuild']:.0f});"
        f" sha256sum {size / base_seconds / 1e6:.0f} MB/s;"
        f" peak memory {measured['peak'] / MIB:.0f} MiB, {measured['idle'] / MIB:.0f} before"
    )


def base(path: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["sha256sum", path], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# -- what a client sends ------------------------------------------------------------------


def pack(folder: Path, size: int) -> int:
    """Write a file, its xorbs and its shard. Returns the bytes of the xorbs."""
    from weights.uploads.xet import hashing

    randoms = np.random.default_rng(14)
    whole, tree, stored = hashlib.sha256(), hashing.HashTree(), 0
    entries, checks = b"", b""
    with (folder / "file").open("wb") as file:
        for _ in range(size // (CHUNK * CHUNKS)):
            block = randoms.standard_normal(CHUNK * CHUNKS // 2, dtype=np.float32)
            content = (block.view(np.uint32) >> 16).astype(np.uint16).tobytes()
            file.write(content)
            whole.update(content)
            entry, check, length = pack_xorb(folder, content, tree)
            entries, checks, stored = entries + entry, checks + check, stored + length
    count = len(entries) // 48
    header = hashing.file_hash(tree.root()) + struct.pack("<4I", 0xC0000000, count, 0, 0)
    sha256 = hashing.from_hex(whole.hexdigest()) + bytes(16)
    end = b"\xff" * 32 + bytes(16)
    tag = b"HFRepoMetaData\0UigEj{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9" + struct.pack("<QQ", 2, 0)
    (folder / "shard").write_bytes(tag + header + entries + checks + sha256 + end + end)
    return stored


def pack_xorb(folder: Path, content: bytes, file_tree: object) -> tuple[bytes, bytes, int]:
    """Write one xorb; return its term, the term's check, and its length."""
    from weights.uploads.xet import hashing

    tree, digests, body = hashing.HashTree(), b"", bytearray()
    for start in range(0, len(content), CHUNK):
        chunk = content[start : start + CHUNK]
        grouped = b"".join(chunk[position::4] for position in range(4))
        payload = lz4.frame.compress(grouped)
        body += b"\0" + len(payload).to_bytes(3, "little") + b"\2" + CHUNK.to_bytes(3, "little")
        body += payload
        digest = hashing.chunk_hash(chunk)
        digests += digest
        for one in (tree, file_tree):
            one.add(digest, CHUNK)
    root = tree.root()
    (folder / f"{hashing.to_hex(root)}.xorb").write_bytes(body)
    term = root + struct.pack("<4I", 0, len(content), 0, len(content) // CHUNK)
    return term, hashing.range_hash(digests) + bytes(16), len(body)


# -- what the portal does, in a separate process ---------------------------------------------


def ingest(folder: Path) -> None:
    from accounts.tiers.models import Licence, Tier
    from accounts.users.models import User
    from weights.catalogue.models import Checkpoint
    from weights.uploads import multipart
    from weights.uploads.models import Upload
    from weights.uploads.xet import shards, xorbs
    from weights.uploads.xet.xorbs import Sender

    licence = Licence.objects.create(slug="bench", title="Bench")
    tier = Tier.objects.create(slug="bench", name="Bench", mode="open", licence=licence)
    draft = Checkpoint.objects.create(org="bench", name="draft", tier=tier)
    sender = Sender(User.objects.create_user("bench"), draft)
    idle, started = peak(), time.process_time()
    for path in sorted(folder.glob("*.xorb")):
        with path.open("rb") as stream:
            xorbs.receive(sender, path.stem, path.stat().st_size, stream)
    received = time.process_time()
    with (folder / "shard").open("rb") as stream:
        shards.accept(sender, stream)
    for upload in Upload.objects.filter(state=Upload.State.RECEIVED):
        multipart.hash_object(upload.pk)
    rebuilt = time.process_time()
    assert Upload.objects.get().state == Upload.State.COMPLETE, Upload.objects.get().reason
    measured = {"receive": received - started, "rebuild": rebuilt - received}
    print(json.dumps(measured | {"peak": peak(), "idle": idle}))


def peak() -> int:
    """This process's peak memory in bytes; `ru_maxrss` would count its parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    show_help(__doc__)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory(dir=sys.argv[1]) as place:
            install.prepare(Path(place))
            ingest(Path(sys.argv[1]))
    else:
        import django

        with tempfile.TemporaryDirectory() as data:
            os.environ["DATA_DIR"] = data
            django.setup()
            main()
