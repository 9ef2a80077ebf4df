"""What `manage.py check --deploy` says of an install beside what keeps it from starting."""

from typing import Any

from django.core import checks

from weights.errors import WeightsError
from weights.storage import blob_storage

NOT_VERSIONED = (
    "not kept: whoever writes over an object takes the verified bytes away, and until the next"
    " survey people are given the new ones; switch versioning on for the bucket"
)


@checks.register(checks.Tags.security, deploy=True)
def bucket_keeps_versions(**_: Any) -> list[checks.CheckMessage]:
    """Warn of a bucket without versions, and of one that does not say whether it keeps them."""
    storage = blob_storage()
    if storage.is_local or not storage.binds_versions:
        return []
    try:
        if storage.keeps_versions():
            return []
    except WeightsError as error:
        told = f"WEIGHTS_STORAGE: whether the bucket keeps versions is not known: {error}"
        hint = "allow s3:GetBucketVersioning, and see that the store answers"
        return [checks.Warning(told, hint=hint, id="portal.W002")]
    hint = "aws s3api put-bucket-versioning --versioning-configuration Status=Enabled --bucket …"
    told = f"WEIGHTS_STORAGE: versions are {NOT_VERSIONED}"
    return [checks.Warning(told, hint=hint, id="portal.W001")]
