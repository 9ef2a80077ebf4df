"""`manage.py verify_manifests`: compare every manifest with the files in a store."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.management import progress_bars
from accounts.management.base import PortalCommand, sample_of
from weights.manifests import store_check
from weights.storage import blob_storage, store_at


class Command(PortalCommand):
    help = (
        "Compare every revision's manifest with the bytes in the store; changes nothing. Use it"
        " after a restore, or to check a copy of the blobs (--blobs)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--blobs", metavar="ADDRESS", help="another store than the portal's")
        parser.add_argument(
            "--sample", type=int, metavar="N", help="read N random blobs instead of all"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sample = sample_of(options)
        store = store_at(options["blobs"]) if options["blobs"] else blob_storage()
        with progress_bars.lazy_bar(store_check.bytes_to_read(sample), "Reading") as advance:
            proof = store_check.check_store(store, sample=sample, progress=advance)
        if proof.missing == proof.blobs > 1:
            raise CommandError(
                f"{store.address} has none of the {proof.blobs} blobs; is this the right store,"
                " and is its disk mounted?"
            )
        self._print(proof)
        if proof.faults:
            raise CommandError(
                f"{len(proof.faults)} differences between the manifests and {store.address};"
                " publish good copies of the files named above, or restore another backup"
            )

    def _print(self, proof: store_check.StoreReport) -> None:
        for line in proof.lines():
            self.stdout.write(line)
        for fault in proof.faults:
            self.stderr.write(fault)
