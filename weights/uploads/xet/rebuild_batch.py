"""Rebuilds tiny files in batches, since their queries cost more than their bytes."""

import logging
from collections.abc import Collection

from django.db.models import F

from weights.errors import WeightsError
from weights.integrity.lease import Lease, LeaseLost, acquire_all
from weights.storage.models import Blob
from weights.uploads import multipart, services
from weights.uploads.models import Upload
from weights.uploads.xet.models import Recipe
from weights.uploads.xet.rebuild import Rebuilt, XorbLookup, forget_recipes
from weights.uploads.xet.xorbs import Sender

log = logging.getLogger(__name__)

#: Maximum bytes of a tiny file, and maximum tiny files that are rebuilt together.
TINY, TOGETHER = 2 * 1024 * 1024, 48


def rebuild(sender: Sender, uploads: Collection[Upload]) -> None:
    """Rebuild received uploads of one sender, up to the first failure.

    That upload and the rest stay RECEIVED, for `multipart.hash_object` to rebuild or refuse.
    """
    received = Upload.objects.filter(state=Upload.State.RECEIVED)
    ids = [upload.pk for upload in uploads]
    lease = acquire_all(received, ids, attempts=F("attempts") + 1)
    if lease is None:
        return
    named: dict[Upload, bool] = {}
    try:
        _name_objects(sender, lease, named)
    except (WeightsError, LeaseLost, Recipe.DoesNotExist) as error:
        log.info("a batch of %d files was rebuilt up to the first failure: %s", len(ids), error)
    finally:
        changed = [upload.sha256 for upload, is_changed in named.items() if is_changed]
        services.complete(named.keys(), changed)
        lease.release()  # the uploads that were not rebuilt
    ended = Upload.objects.filter(pk__in=ids).exclude(state=Upload.State.RECEIVED)
    forget_recipes(sender.person, sender.checkpoint, ended)


def _name_objects(sender: Sender, lease: Lease[Upload], named: dict[Upload, bool]) -> None:
    """Rebuild, hash and store each object; note in `named` if it replaces bad bytes."""
    storage = services.writable_store()
    recipes = {recipe.upload_id: recipe for recipe in Recipe.objects.filter(upload__in=lease.rows)}
    sha256s = [upload.sha256 for upload in lease.rows]
    blobs = Blob.objects.in_bulk(sha256s, field_name="sha256")
    xorbs = XorbLookup(sender)
    for upload in lease.rows:
        if upload.pk not in recipes:
            raise Recipe.DoesNotExist(upload)
        with storage.receive(upload.size) as temporary:
            content = Rebuilt(recipes[upload.pk], xorbs, temporary).blocks()
            services.check(upload, multipart.renewing(content, lease))
            blob = blobs.get(upload.sha256)
            named[upload] = services.name_object(upload.sha256, temporary, blob, storage)
