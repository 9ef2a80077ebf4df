"""System checks of `manage.py check --deploy` (portal.W001, portal.W002).

`portal.settings.validation` refuses to start with weaker settings.
"""

from typing import Any

from django.core import checks

from weights.errors import WeightsError
from weights.storage import blob_storage

NOT_VERSIONED = (
    "not kept: an overwritten object loses its verified bytes, and until the next survey the new"
    " bytes are served; enable versioning for the bucket"
)


@checks.register(checks.Tags.security, deploy=True)
def bucket_keeps_versions(**_: Any) -> list[checks.CheckMessage]:
    """Warn about a bucket without versioning, or whose versioning cannot be queried."""
    storage = blob_storage()
    if storage.is_local or not storage.binds_versions:
        return []
    try:
        if storage.keeps_versions():
            return []
    except WeightsError as error:
        message = f"WEIGHTS_STORAGE: the versioning of the bucket is unknown: {error}"
        hint = "allow s3:GetBucketVersioning, and check that the store responds"
        return [checks.Warning(message, hint=hint, id="portal.W002")]
    hint = "aws s3api put-bucket-versioning --versioning-configuration Status=Enabled --bucket …"
    message = f"WEIGHTS_STORAGE: versions are {NOT_VERSIONED}"
    return [checks.Warning(message, hint=hint, id="portal.W001")]
