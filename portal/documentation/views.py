"""Serve the files of the documentation site."""

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.static import serve

from portal.settings import installation

#: For files whose URL contains their checksum.
_FOR_EVER = "public, max-age=31536000, immutable"
#: For pages: browsers ask each time whether a page has changed.
_ASK_AGAIN = "public, no-cache"


@require_safe
def page(request: HttpRequest, path: str) -> HttpResponseBase:
    """Serve a file of the site; the URL of a folder means its index.

    Responds with 404 if the file does not exist, and explains how to build a missing site.
    """
    root = installation.DOCUMENTATION
    if not (root / "index.html").is_file():
        return render(request, "documentation/not_built.html", status=404)
    name = f"{path}index.html" if path.endswith("/") or not path else path
    response = serve(request, name, document_root=str(root))
    if isinstance(response, FileResponse) and response["Content-Type"].startswith("text/"):
        response["Content-Type"] += "; charset=utf-8"
    response["Cache-Control"] = _FOR_EVER if "v" in request.GET else _ASK_AGAIN
    return response
