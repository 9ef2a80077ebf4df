"""A naive listing, serialised from records in the portal's format."""

import os
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import re_path

from weights.publishing.models import File, Ref


def tree(request: HttpRequest) -> JsonResponse:
    """All files on branch `main` of the checkpoint BENCH_CHECKPOINT, by path."""
    org, _, name = os.environ["BENCH_CHECKPOINT"].partition("/")
    ref = Ref.objects.get(checkpoint__org=org, checkpoint__name=name, name="main")
    files = File.objects.filter(revision=ref.revision_id).select_related("blob").order_by("path")
    return JsonResponse([_entry(file) for file in files], safe=False)


def _entry(file: File) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file",
        "path": file.path,
        "oid": file.git_oid,
        "size": file.blob.size,
    }
    if file.lfs:
        sha256, size = file.blob.sha256, file.blob.size
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
        entry["lfs"] = {"oid": sha256, "size": size, "pointerSize": len(pointer)}
    return entry


urlpatterns = [re_path(r"^", tree)]
