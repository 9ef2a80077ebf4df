"""The Hub's read routes: `resolve` serves files, all others return JSON."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.errors import AccountsCode, InvalidValue
from weights import gate
from weights.catalogue import download_counts, file_facts
from weights.catalogue.models import Checkpoint
from weights.delivery import serving
from weights.errors import BadBody
from weights.gate import Decision, Missing
from weights.gate.caller import Caller, TokenClaim
from weights.gate.refusals import Refusal
from weights.hub_api import page_cache, payloads
from weights.hub_api.authentication import bearer_claim, bearer_claim_or_session
from weights.hub_api.decorators import hub_view
from weights.hub_api.errors import RequestRefused, refusal
from weights.hub_api.git_trees import Entry, last_changes, listing, visible_history
from weights.hub_api.model_search import SearchResult
from weights.hub_api.responses import (
    expand_param,
    is_true,
    json_response,
    next_link,
    number_param,
    page_response,
)
from weights.hub_api.revision_paths import split_revision_and_path
from weights.inspection import results
from weights.manifests.listing import lfs_pointer
from weights.publishing.drafts import queries as drafts
from weights.publishing.models import Ref, Revision
from weights.web import cross_origin, strict_json

PAGE_SIZE, EXPANDED_PAGE_SIZE = 1000, 50
_FORM_TYPES = {"application/x-www-form-urlencoded", "multipart/form-data"}


@hub_view("GET", "HEAD", authenticate=bearer_claim_or_session)
def resolve(
    request: HttpRequest, caller: Caller | TokenClaim, org: str, name: str, rest: str
) -> HttpResponseBase:
    """A file's bytes, or a redirect to them."""
    return _answer(request, *_requested_file(request, caller, f"{org}/{name}", rest))


@hub_view("GET", "HEAD", authenticate=bearer_claim_or_session)
def raw(
    request: HttpRequest, caller: Caller | TokenClaim, org: str, name: str, rest: str
) -> HttpResponseBase:
    """A file as git stores it: a pointer for an LFS file, else the bytes."""
    asked = _requested_file(request, caller, f"{org}/{name}", rest)
    file = asked.decision.file
    if file is None or not file.lfs:
        return _answer(request, *asked)
    pointer = lfs_pointer(file.sha256, file.size)
    response = HttpResponse(pointer, content_type="text/plain; charset=utf-8")
    response["ETag"] = f'"{file.git_oid}"'
    response["X-Repo-Commit"] = file.revision.sha
    response["Cache-Control"] = serving.cache_control(asked.decision.caller, file)
    return cross_origin.allow(response, asked.decision.caller, file.revision.checkpoint)


class _RequestedFile(NamedTuple):
    decision: Decision
    repo_id: str
    revision: str
    path: str


def _requested_file(
    request: HttpRequest, caller: Caller | TokenClaim, repo_id: str, rest: str
) -> _RequestedFile:
    """The gate's decision about the file that `rest` names, and the names as requested."""
    decision, revision, path = Decision(missing=Missing.REVISION), "", ""
    for revision, path in split_revision_and_path(request, repo_id, rest, before=3):
        decision = gate.decide(caller, repo_id, revision, path, timezone.now())
        if decision.missing is not Missing.REVISION:
            break
    return _RequestedFile(decision, repo_id, revision, path)


def _answer(
    request: HttpRequest, decision: Decision, repo_id: str, revision: str, path: str
) -> HttpResponseBase:
    return serving.answer(
        request,
        decision.caller,
        decision,
        repo_id=repo_id,
        revision=revision,
        path=path,
        refuse=refusal,
    )


# -- a checkpoint and its revisions ------------------------------------------------------


@hub_view("GET", "HEAD")
def model_info(
    request: HttpRequest, caller: Caller, org: str, name: str, revision: str = "main"
) -> HttpResponseBase:
    checkpoint = _checkpoint(caller, f"{org}/{name}")
    found = _revision(caller, checkpoint, revision)
    downloads = download_counts.of_checkpoint(checkpoint.pk)
    result = SearchResult(checkpoint, found, file_facts.revision_facts(found), downloads)
    files = payloads.siblings(listing(found), blobs=is_true(request.GET.get("blobs")))
    payload = payloads.model_info(result, files)
    if is_true(request.GET.get("securityStatus")):
        inspections = results.of_revision(found)
        payload["securityRepoStatus"] = payloads.repository_security(inspections, found.file_count)
    properties = expand_param(request)
    if properties:
        payload = payloads.select_properties(payload, properties)
    return cross_origin.allow(json_response(payload), caller, checkpoint)


@hub_view("GET", "HEAD", authenticate=bearer_claim)
def tree(
    request: HttpRequest, caller: Caller | TokenClaim, org: str, name: str, rest: str
) -> HttpResponseBase:
    """A page of a folder's entries; the next page's `Link` names the commit, not the branch."""
    revision, folder = _revision_and_path(request, caller, f"{org}/{name}", rest, before=5)
    folder, recursive = folder.strip("/"), is_true(request.GET.get("recursive"))
    start = number_param(request, "cursor")
    if is_true(request.GET.get("expand")):
        page = _expanded_tree(request, revision, folder, recursive=recursive, start=start)
        return cross_origin.allow(page, caller, revision.checkpoint)

    def render() -> page_cache.Page:
        entries = _entries(revision, folder, recursive=recursive)
        payload = [payloads.tree_entry(entry) for entry in entries[start : start + PAGE_SIZE]]
        return page_cache.Page(json_response(payload).content, start + PAGE_SIZE < len(entries))

    key = (revision.pk, revision.sha, folder, recursive, start)
    rendered = page_cache.tree_pages.get_or_render(key, render)
    response = HttpResponse(rendered.body, content_type="application/json")
    response["Cache-Control"] = "private, no-store"
    if rendered.has_next:
        response["Link"] = next_link(request, _tree_path(revision, folder), start + PAGE_SIZE)
    return cross_origin.allow(response, caller, revision.checkpoint)


def _expanded_tree(
    request: HttpRequest, revision: Revision, folder: str, *, recursive: bool, start: int
) -> HttpResponseBase:
    """The page with the last commit and the inspection of each entry."""
    last = last_changes(revision)
    entries = _entries(revision, folder, recursive=recursive)
    paths = [entry.path for entry in entries[start : start + EXPANDED_PAGE_SIZE]]
    inspections = results.of_paths(revision, paths)
    return page_response(
        request,
        entries,
        lambda entry: payloads.tree_entry(entry, last.get(entry.path), inspections.get(entry.path)),
        _tree_path(revision, folder),
        EXPANDED_PAGE_SIZE,
    )


def _tree_path(revision: Revision, folder: str) -> str:
    checkpoint = revision.checkpoint
    path = reverse("hub:tree", args=[checkpoint.org, checkpoint.name, revision.sha])
    return f"{path}/{quote(folder, safe='')}" if folder else path


def _entries(revision: Revision, folder: str, *, recursive: bool) -> Sequence[Entry]:
    entries = listing(revision).children(folder, recursive=recursive)
    if entries is None:
        checkpoint = revision.checkpoint
        message = f"{checkpoint} has no folder {folder} in {revision.sha}"
        raise _not_found(Missing.ENTRY, message, checkpoint, revision)
    return entries


@hub_view("POST")
def paths_info(
    request: HttpRequest, caller: Caller, org: str, name: str, revision: str
) -> HttpResponseBase:
    """The requested files and folders; unknown paths are left out."""
    if request.content_type not in {*_FORM_TYPES, "application/json"}:
        message = "Send the paths as a form or as JSON."
        return serving.problem(415, AccountsCode.UNSUPPORTED_MEDIA_TYPE, message)
    try:
        requested, expand = _requested_paths(request)
    except (BadBody, InvalidValue) as error:
        return serving.problem(400, error.code, str(error))
    checkpoint = _checkpoint(caller, f"{org}/{name}")
    found = _revision(caller, checkpoint, revision)
    by_path = listing(found).by_path
    paths = [path for path in dict.fromkeys(requested) if path in by_path]
    if not expand:
        return json_response([payloads.tree_entry(by_path[path]) for path in paths])
    last, inspections = last_changes(found), results.of_paths(found, paths)
    return json_response(
        [
            payloads.tree_entry(by_path[path], last.get(path), inspections.get(path))
            for path in paths
        ]
    )


def _requested_paths(request: HttpRequest) -> tuple[list[str], bool]:
    """The paths of a form (Python's client) or JSON object (JavaScript's), and its `expand`.

    Raises BadBody and InvalidValue.
    """
    if request.content_type in _FORM_TYPES:
        paths, expand = request.POST.getlist("paths"), is_true(request.POST.get("expand"))
        return [path.strip("/") for path in paths], expand
    body = strict_json.read_object(request)
    names = body.get("paths")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidValue("paths must be a list of strings")
    return [name.strip("/") for name in names], body.get("expand") is True


@hub_view("GET", "HEAD")
def refs(request: HttpRequest, caller: Caller, org: str, name: str) -> HttpResponseBase:
    checkpoint = _checkpoint(caller, f"{org}/{name}")
    payload = payloads.refs(_refs(caller, checkpoint))
    if request.GET.get("include_prs"):
        payload["pullRequests"] = []
    return cross_origin.allow(json_response(payload), caller, checkpoint)


@hub_view("GET", "HEAD")
def commits(
    request: HttpRequest, caller: Caller, org: str, name: str, revision: str
) -> HttpResponseBase:
    """The revision and its ancestors, newest first."""
    checkpoint = _checkpoint(caller, f"{org}/{name}")
    found = _revision(caller, checkpoint, revision)
    formatted = "formatted" in expand_param(request)
    page = page_response(
        request,
        visible_history(found),
        lambda one: payloads.commit(one, formatted=formatted),
        reverse("hub:commits", args=[checkpoint.org, checkpoint.name, found.sha]),
        PAGE_SIZE,
    )
    return cross_origin.allow(page, caller, checkpoint)


@hub_view("GET", "HEAD")
def auth_check(request: HttpRequest, caller: Caller, org: str, name: str) -> HttpResponseBase:
    """`{}` if the caller may download the checkpoint's files, else the refusal."""
    decision = gate.may_fetch_checkpoint(caller, f"{org}/{name}", timezone.now())
    if not decision.allowed:
        raise RequestRefused(decision)
    return json_response({})


@hub_view("GET", "HEAD")
def whoami(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    if caller.user is None or caller.token is None:
        message = "Send a token to see its owner."
        return serving.refusal(
            request, caller, Decision(code=Refusal.LOGIN_REQUIRED, message=message)
        )
    return json_response(payloads.whoami(caller.user, caller.token))


# -- URLs that name nothing --------------------------------------------------------------


@hub_view("GET", "HEAD", "POST", "PUT", "DELETE")
def unknown_repository(request: HttpRequest, caller: Caller, name: str) -> HttpResponseBase:
    """404 for a name without an organisation: every checkpoint of the portal has one."""
    raise _not_found(Missing.REPOSITORY, f"there is no checkpoint {name}; names are ORG/NAME")


@hub_view("GET", "HEAD", "POST", "PUT", "DELETE")
def other_kind(request: HttpRequest, caller: Caller, kind: str, rest: str) -> HttpResponseBase:
    """404 for data sets and spaces; without its code the client reports a connection error."""
    raise _not_found(Missing.REPOSITORY, f"this portal has no {kind}, only models")


@csrf_exempt
def browser_login(request: HttpRequest) -> HttpResponseBase:
    """404 for `hf auth login` without a token, which prints the message."""
    page = settings.PUBLIC_URL + reverse("accounts:token-list")
    message = (
        f"This portal has no browser login. Create a token at {page} and pass it with --token."
    )
    return serving.problem(404, AccountsCode.NOT_FOUND, message)


@csrf_exempt
def unknown_url(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    """404 as JSON for everything else under /api/."""
    return serving.problem(404, AccountsCode.NOT_FOUND, "This API has no such URL.")


# -- shared lookups ----------------------------------------------------------------------


def _checkpoint(caller: Caller, repo_id: str) -> Checkpoint:
    """The checkpoint, if it is published and the caller may read its metadata."""
    decision = gate.may_read_checkpoint(caller, repo_id, timezone.now())
    if not decision.allowed or decision.checkpoint is None:
        raise RequestRefused(decision)
    return decision.checkpoint


def _revision(caller: Caller, checkpoint: Checkpoint, name: str) -> Revision:
    """The revision of this name; with an owner's write token, it may be a draft."""
    draft = gate.find_draft(caller, checkpoint, name)
    found = draft or gate.find_revision(checkpoint, name)
    if found is None:
        if (withdrawn := gate.withdrawn(checkpoint, name)) is not None:
            raise RequestRefused(withdrawn)
        raise _not_found(Missing.REVISION, f"{checkpoint} has no revision {name}", checkpoint)
    return found


def _refs(caller: Caller, checkpoint: Checkpoint) -> list[Ref]:
    """Branches and tags of visible revisions, and of drafts with an owner's write token."""
    refs = Ref.objects.filter(checkpoint=checkpoint).select_related("revision")
    if caller.token is not None and gate.may_own(caller, checkpoint):
        return drafts.refs_of(checkpoint, refs)
    return list(refs.filter(revision__state=Revision.State.VISIBLE))


def _revision_and_path(
    request: HttpRequest, caller: Caller | TokenClaim, repo_id: str, rest: str, *, before: int
) -> tuple[Revision, str]:
    """The revision, if the caller may read its metadata, and the path in it: one query."""
    decision = Decision(missing=Missing.REVISION)
    for name, path in split_revision_and_path(request, repo_id, rest, before=before):
        decision = gate.may_read_revision(caller, repo_id, name, timezone.now())
        if decision.allowed and decision.revision is not None:
            return decision.revision, path
        if decision.missing is not Missing.REVISION:
            break
    raise RequestRefused(decision)


def _not_found(
    missing: Missing,
    message: str,
    checkpoint: Checkpoint | None = None,
    revision: Revision | None = None,
) -> RequestRefused:
    return RequestRefused(
        Decision(missing=missing, message=message, checkpoint=checkpoint, revision=revision)
    )
