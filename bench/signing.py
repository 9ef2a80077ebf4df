"""Measure the signing of 992 URLs against boto3's presigner.

Run from the project's folder: `.venv/bin/python bench/signing.py`. It sends no requests. Both
sides run in turn for five rounds in one process, after a warm-up round. Each case signs 992 URLs,
with JSON if its label says so, and prints the median of the time ratios. The base calls boto3's
`generate_presigned_url` 992 times. The portal signs CDN URLs one by one (docs/decisions/0004); a
store with one folder per revision could use the wildcard policy of the last cases.
"""

import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.support import install
from bench.support.report import Round, line
from bench.support.usage import show_help

ROUNDS = 5
FILES = 992
ORIGIN = "https://weights.example.org"

Case = Callable[[], object]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-signing-") as name:
        os.environ |= {
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }
        install.prepare(Path(name))
        base, cases = sides()
        compare(base, cases)
        install.close()


def sides() -> tuple[Case, dict[str, Case]]:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from weights.storage.s3 import S3Storage
    from weights.web.http_headers import disposition

    store = S3Storage("weights", "blobs", endpoint=None, public_endpoint=None)
    files = [
        (f"checkpoint_last-model_part-{number // 8}-shard{number % 8}.pt", _sha256(number))
        for number in range(FILES)
    ]

    def by_boto3() -> object:
        return [
            store.signer.client.generate_presigned_url(
                "get_object",
                Params={**store.location(sha256), "ResponseContentDisposition": disposition(name)},
                ExpiresIn=900,
            )
            for name, sha256 in files
        ]

    def presigned() -> object:
        return json.dumps(
            [store.signed_url(sha256, filename=name, seconds=900) for name, sha256 in files]
        )

    return by_boto3, {
        "992 presigned S3 addresses + JSON": presigned,
        "992 file links": file_links_case(files),
        "992 CDN addresses, P-256": cdn_case(ec.generate_private_key(ec.SECP256R1()), files),
        "992 CDN addresses, RSA 2048": cdn_case(rsa.generate_private_key(65537, 2048), files),
        "992 CDN addresses, same minute again": cdn_again_case(files),
        "one wildcard CDN policy, P-256": wildcard_case(ec.generate_private_key(ec.SECP256R1())),
        "one wildcard CDN policy, RSA 2048": wildcard_case(rsa.generate_private_key(65537, 2048)),
    }


def file_links_case(files: list[tuple[str, str]]) -> Case:
    """Sign file links like the lists in a checkpoint link's folder."""
    from accounts.tiers.models import Tier
    from weights.catalogue.models import Checkpoint
    from weights.delivery import file_links
    from weights.gate.caller import ANONYMOUS
    from weights.publishing.models import File, Revision
    from weights.storage.models import Blob

    checkpoint = Checkpoint(org="bench", name="big", tier=Tier(slug="bench"))
    revision = Revision(checkpoint=checkpoint, sha="0" * 40)
    rows = [
        File(pk=number, revision=revision, path=name, blob=Blob(sha256=sha256, size=1))
        for number, (name, sha256) in enumerate(files, start=1)
    ]
    ends = int(time.time()) + 900

    def sign() -> object:
        addresses = file_links.Addresses(revision, None, ANONYMOUS)
        return [addresses.of(row, ends) for row in rows]

    return sign


def cdn_case(key: object, files: list[tuple[str, str]]) -> Case:
    from weights.storage.cdn import Cdn
    from weights.storage.protocol import blob_key
    from weights.web.http_headers import disposition

    def sign() -> object:
        cdn = Cdn(ORIGIN, "K1", key)  # a new one has an empty cache
        now = int(time.time())
        return [
            cdn.url(f"blobs/{blob_key(sha256)}", disposition(name), now, 900)
            for name, sha256 in files
        ]

    return sign


def cdn_again_case(files: list[tuple[str, str]]) -> Case:
    from cryptography.hazmat.primitives.asymmetric import ec

    from weights.storage.cdn import Cdn
    from weights.storage.protocol import blob_key
    from weights.web.http_headers import disposition

    cdn = Cdn(ORIGIN, "K1", ec.generate_private_key(ec.SECP256R1()))
    now = int(time.time())
    return lambda: [
        cdn.url(f"blobs/{blob_key(sha256)}", disposition(name), now, 900) for name, sha256 in files
    ]


def wildcard_case(key: object) -> Case:
    """Sign one policy whose query all 992 URLs could share."""
    from weights.storage.cdn import Cdn, policy

    cdn = Cdn(ORIGIN, "K1", key)
    return lambda: cdn.sign(policy(f"{ORIGIN}/revisions/{'s' * 22}/*", int(time.time()) + 900))


def compare(base: Case, cases: dict[str, Case]) -> None:
    bases: dict[str, list[Round]] = {label: [] for label in cases}
    ours: dict[str, list[Round]] = {label: [] for label in cases}
    for number in range(ROUNDS + 1):
        for label, case in cases.items():
            their, our = timed(base), timed(case)
            if number:  # the first round warms up
                bases[label].append(their)
                ours[label].append(our)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for label in cases:
        line(
            *(label, "ms", ours[label], "boto3 x 992", bases[label]),
            cpu_unit="revision",
            peak=peak,
            smaller_is_better=True,
        )


def timed(case: Case) -> Round:
    cpu, wall = time.process_time(), time.perf_counter()
    case()
    return Round((time.perf_counter() - wall) * 1e3, time.process_time() - cpu)


def _sha256(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


if __name__ == "__main__":
    show_help(__doc__)
    main()
