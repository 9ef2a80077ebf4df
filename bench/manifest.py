"""Measure signing and checking a manifest of 992 shards against hashing the weights.

Run from the project's folder: `.venv/bin/python bench/manifest.py`. It publishes a revision of
992 shards, signs it in rounds, and runs the standard verifier on a folder with the same files.
Signing reads only records, no weights. The verifier hashes everything, so it is compared with
`sha256sum` of the same files.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from support.usage import show_help

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
PARTS, SHARDS = 8, 124
SHARD_BYTES = 1024 * 1024


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-manifest-") as name:
        folder = Path(name)
        os.environ |= {
            "DATA_DIR": str(folder / "install"),
            "BROKER_URL": "memory://",
            "LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "portal.settings.embedded",
        }
        source = make_shards(folder / "source")
        sign_and_check(source, folder)


def make_shards(folder: Path) -> Path:
    folder.mkdir()
    for number in range(PARTS * SHARDS):
        part, shard = divmod(number, SHARDS)
        content = random.Random(number).randbytes(SHARD_BYTES)
        (folder / f"checkpoint_last-model_part-{part}-shard{shard}.pt").write_bytes(content)
    return folder


def sign_and_check(source: Path, folder: Path) -> None:
    sys.path.insert(0, str(ROOT))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)

    from weights.catalogue import opt_family
    from weights.manifests import signatures
    from weights.manifests.models import ManifestKey, ManifestSignature, PublishedManifest
    from weights.publishing.intake import publish
    from weights.publishing.models import Revision

    opt_family.load()
    revision = publish(source, "bench/shards", tier="open")
    Revision.objects.filter(pk=revision.pk).update(state=Revision.State.VISIBLE)

    def sign() -> None:
        signatures.sign(revision.pk)

    def delete_signature() -> None:
        ManifestSignature.objects.all().delete()
        PublishedManifest.objects.all().delete()

    signing = timed(sign, after=delete_signature)
    sign()
    signature, key = folder / "model.sig", folder / "key.pem"
    signature.write_text(ManifestSignature.objects.get().bundle)
    key.write_text(ManifestKey.objects.get().public_pem)
    print(f"signing {PARTS * SHARDS} shards: {spread(signing, 1000)} ms")
    print(f"the signature has {signature.stat().st_size / 1000:.0f} kB")
    compare(source, signature, key)


def compare(source: Path, signature: Path, key: Path) -> None:
    program = str(Path(sys.executable).with_name("model_signing"))
    files = ["--signature", str(signature), "--public_key", str(key)]
    verify = [program, "verify", "key", str(source), *files]
    sums = ["sh", "-c", "sha256sum *.pt > /dev/null"]
    checking = timed(lambda: run(verify, source))
    hashing = timed(lambda: run(sums, source))
    gigabytes = PARTS * SHARDS * SHARD_BYTES / 1e9
    print(f"checking {gigabytes:.2f} GB with model_signing: {spread(checking)} s")
    print(f"sha256sum of the same files: {spread(hashing)} s")


def run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def timed(act: Callable[[], None], after: Callable[[], None] = lambda: None) -> list[float]:
    """Return the seconds of each round; `after` is not timed."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
        after()
    return times


def spread(times: list[float], unit: float = 1) -> str:
    low, high = min(times) * unit, max(times) * unit
    return f"{statistics.median(times) * unit:.3g} ({low:.3g} to {high:.3g})"


if __name__ == "__main__":
    show_help(__doc__)
    main()
