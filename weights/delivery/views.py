"""Views of signed links: `/f/…` for one file, `/d/<token>/…` for a whole revision.

They verify the claim, then ask the gate like any other view. None of them reads cookies.
"""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from weights import gate
from weights.delivery import file_links, links, serving, signed_claims
from weights.delivery.folder import Folder, ListKind, folder_of, offered
from weights.errors import WeightsCode
from weights.gate.caller import Caller
from weights.gate.refusals import Refusal
from weights.ledger import recording

View = Callable[..., HttpResponseBase]

#: Placeholders that the published download scripts replace with each file's name.
_PLACEHOLDERS = frozenset({"stubbed.pt", "*"})


def _read_only(view: View) -> View:
    """Allow GET and HEAD; any other method is 405, not a CSRF failure."""
    return csrf_exempt(require_safe(view))


@_read_only
def file_link(request: HttpRequest, org: str, name: str, sha: str, path: str) -> HttpResponseBase:
    """One file by its signed URL; 403 for any query other than the signed one."""
    now = timezone.now()
    repo_id = f"{org}/{name}"
    try:
        caller = file_links.caller_of(repo_id, sha, path, request.META["QUERY_STRING"], now)
    except signed_claims.BadSignature:
        message = "This URL was altered or truncated. Copy all of it, or request a new one."
        return serving.problem(403, WeightsCode.LINK_INVALID, message, request)
    decision = gate.decide(caller, repo_id, sha, path, now)
    if decision.code is Refusal.LINK_EXPIRED:
        page = f"{settings.PUBLIC_URL}/{repo_id}/blob/{sha}/{quote(path)}"
        decision = replace(decision, message=f"this URL has expired; get a new one at {page}")
    return serving.answer(request, caller, decision, repo_id=repo_id, revision=sha, path=path)


@_read_only
def checkpoint_link(request: HttpRequest, token: str, path: str) -> HttpResponseBase:
    """One file of the link's revision. A query string is ignored."""
    if path.endswith("/"):
        return link_folder(request, token, path)
    now = timezone.now()
    try:
        caller = links.link_caller(token, now)
    except signed_claims.BadSignature:
        return _unknown_link(request)
    if caller.link is None:
        return _ended_link(request, token, caller)
    if path in _PLACEHOLDERS:
        message = (
            f"{path} is a placeholder: replace it with the name of a file. "
            f"The names are listed at {links.folder_url(token)}"
        )
        return serving.problem(404, WeightsCode.STAND_IN, message, request)
    repo_id, sha = caller.link.checkpoint.repo_id, _sha(caller)
    decision = gate.decide(caller, repo_id, sha, path, now)
    if decision.missing is gate.Missing.ENTRY:  # only an entitled caller gets it
        folder = folder_of(caller.link, links.folder_url(token))
        if kind := offered(folder).get(path):
            return _list(kind, folder)
    return serving.answer(request, caller, decision, repo_id=repo_id, revision=sha, path=path)


@_read_only
def link_folder(request: HttpRequest, token: str, inside: str = "") -> HttpResponseBase:
    """The page of the link's files, while the gate allows the revision."""
    now = timezone.now()
    try:
        caller = links.link_caller(token, now)
    except signed_claims.BadSignature:
        return _unknown_link(request)
    if caller.link is None or caller.problem is not None:
        return _ended_link(request, token, caller)
    repo_id = caller.link.checkpoint.repo_id
    decision = gate.may_fetch_revision(caller, repo_id, _sha(caller), now)
    if not decision.allowed:
        recording.record_refusal(caller, decision, repo_id, _sha(caller), "")
        return serving.refusal(request, caller, decision)
    folder = folder_of(caller.link, links.folder_url(token))
    folders, files = folder.listing(inside)
    if not folders and not files:
        message = f"{repo_id} has no folder {inside}"
        return serving.problem(404, WeightsCode.FOLDER_NOT_FOUND, message, request)
    context = {
        "link": caller.link,
        "checkpoint": caller.link.checkpoint,
        "folder": folder,
        "inside": inside,
        "folders": folders,
        "files": files,
        **_commands(folder),
        "lists": [(name, kind.purpose) for name, kind in offered(folder).items()],
    }
    return _private(render(request, "weights/delivery/link_folder.html", context))


@_read_only
def link_folder_without_slash(request: HttpRequest, token: str) -> HttpResponseBase:
    return HttpResponseRedirect(reverse("delivery:link-folder", args=[token]))


def _commands(folder: Folder) -> dict[str, str]:
    """The download commands on the folder's page."""
    lists = {kind.name: name for name, kind in offered(folder).items()}
    script, links_ = lists["download.sh"], lists["metalink.xml"]
    return {
        "script": f"curl -fO '{folder.address}{script}' && sh {script} -j 4",
        "aria2": f"curl -fO '{folder.address}{links_}' && aria2c -c -M {links_}",
        "one": f"wget -c '{folder.address}NAME'",
    }


def _list(kind: ListKind, folder: Folder) -> HttpResponse:
    content_type = f"{kind.content_type}; charset=utf-8"
    return _private(HttpResponse(kind.make(folder) or "", content_type=content_type))


def _sha(caller: Caller) -> str:
    revision = caller.link.revision if caller.link else None
    return revision.sha if revision else ""


def _unknown_link(request: HttpRequest) -> HttpResponse:
    message = "There is no such link. Copy all of it from the mail, or request a new one."
    return serving.problem(404, WeightsCode.LINK_UNKNOWN, message, request)


def _ended_link(request: HttpRequest, token: str, caller: Caller) -> HttpResponseBase:
    """The response to an expired or revoked link: a page for browsers, a code for scripts."""
    code = caller.problem or Refusal.LINK_REVOKED
    decision = gate.may_fetch_checkpoint(caller, "", timezone.now())
    if not serving.wants_page(request):
        return serving.refusal(request, caller, decision)
    link = links.expired_link(token) if code is Refusal.LINK_EXPIRED else caller.link
    context = {"code": code, "checkpoint": link.checkpoint if link else None, "link": link}
    page = render(request, "weights/delivery/link_ended.html", context, status=decision.status)
    page["X-Refusal-Code"] = code
    return _private(page)


def _private(page: HttpResponse) -> HttpResponse:
    page["Cache-Control"] = "private, no-store"
    page["Referrer-Policy"] = "no-referrer"
    return page
