"""The Hub's routes for reading: files by `resolve`, everything else as JSON."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import Error as DatabaseFault
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    UnreadablePostError,
)
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.api_tokens.models import Scope
from accounts.background.outages import DATABASE_AWAY, in_a_line
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.web.sanitize import storable
from weights import gate
from weights.catalogue import contents, download_counts
from weights.catalogue.models import Checkpoint
from weights.catalogue.search import Found
from weights.delivery import serving
from weights.gate import Decision, Missing
from weights.gate.caller import ANONYMOUS, Caller, Refusal, TokenClaim
from weights.hub_api import page_cache, payloads
from weights.hub_api.addresses import revision_and_path
from weights.hub_api.authentication import by_token, claim, claim_or_session
from weights.hub_api.errors import Refused, refusal
from weights.hub_api.listings import Entry, history, last_changes, listing
from weights.inspection import results
from weights.publishing.models import Ref, Revision

PAGE, EXPANDED_PAGE = 1000, 50
_PUBLISHERS = frozenset({Role.RELEASE_OWNER})
_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}

View = Callable[..., HttpResponseBase]
Asker = TypeVar("Asker", Caller, Caller | TokenClaim)
Item = TypeVar("Item")


def hub_view(
    *methods: str, caller: Callable[[HttpRequest], Asker] = by_token
) -> Callable[[View], View]:
    """Read the caller, refuse invalid credentials and other methods, answer refusals.

    Exempt from CSRF: a token is no ambient authority, and sessions write nothing here.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, **names: str) -> HttpResponseBase:
            if request.method not in methods:
                return _wrong_method(methods)
            who: Caller | TokenClaim = ANONYMOUS
            try:
                who = caller(request)
                _demand_valid(who)
                return view(request, who, **{key: storable(name) for key, name in names.items()})
            except Refused as refused:
                return refusal(request, refused.decision.caller, refused.decision)
            except RequestDataTooBig:
                return serving.problem(413, "body_too_large", "The body is larger than 1 MiB.")
            except (SuspiciousOperation, UnreadablePostError):
                return serving.problem(400, "bad_request", "The request's body cannot be read.")
            except DatabaseFault as error:
                serving.log.error(in_a_line(error), exc_info=not isinstance(error, DATABASE_AWAY))
                return serving.problem(503, "database_unavailable", "Try again in a moment.")

        return answer

    return decorate


def _demand_valid(caller: Caller | TokenClaim) -> None:
    if isinstance(caller, Caller) and caller.problem is not None:
        raise Refused(Decision(code=caller.problem, message=gate.INVALID_CREDENTIALS))


def _wrong_method(methods: Sequence[str]) -> HttpResponseBase:
    response = serving.problem(405, "method_not_allowed", f"Use {' or '.join(methods)}.")
    response["Allow"] = ", ".join(methods)
    return response


# -- files -------------------------------------------------------------------------------


@hub_view("GET", "HEAD", caller=claim_or_session)
def resolve(
    request: HttpRequest, caller: Caller | TokenClaim, org: str, name: str, rest: str
) -> HttpResponseBase:
    """A file's bytes, or the way to them."""
    repo_id = f"{org}/{name}"
    decision, revision, path = Decision(missing=Missing.REVISION), "", ""
    for revision, path in revision_and_path(request, repo_id, rest, before=3):
        decision = gate.decide(caller, repo_id, revision, path, timezone.now())
        if decision.missing is not Missing.REVISION:
            break
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
    found = _revision(checkpoint, revision)
    known = Found(checkpoint, found, contents.of_revision(found), download_counts.of(checkpoint.pk))
    files = payloads.siblings(listing(found), blobs=is_true(request.GET.get("blobs")))
    told = payloads.model_info(known, files)
    if is_true(request.GET.get("securityStatus")):
        seen = results.of_revision(found)
        told["securityRepoStatus"] = payloads.repository_security(seen, found.file_count)
    wanted = expanded(request)
    return as_json(payloads.only(told, wanted) if wanted else told)


@hub_view("GET", "HEAD", caller=claim)
def tree(
    request: HttpRequest, caller: Caller | TokenClaim, org: str, name: str, rest: str
) -> HttpResponseBase:
    """What a folder holds, a page at a time; the next page names the commit, not the branch."""
    found, folder = _told_revision(request, caller, f"{org}/{name}", rest, before=5)
    folder, recursive = folder.strip("/"), is_true(request.GET.get("recursive"))
    start = _offset(request.GET.get("cursor", ""))
    address = f"/api/models/{found.checkpoint}/tree/{found.sha}"
    if folder:
        address += f"/{quote(folder, safe='')}"
    if is_true(request.GET.get("expand")):
        last = last_changes(found)
        entries = _below(found, folder, recursive=recursive)
        here = entries[start : start + EXPANDED_PAGE]
        seen = results.of_paths(found, [entry.path for entry in here])
        return _page(
            request,
            entries,
            lambda entry: payloads.tree_entry(entry, last.get(entry.path), seen.get(entry.path)),
            address,
            EXPANDED_PAGE,
        )

    def make() -> page_cache.Page:
        entries = _below(found, folder, recursive=recursive)
        told = [payloads.tree_entry(entry) for entry in entries[start : start + PAGE]]
        return page_cache.Page(as_json(told).content, start + PAGE < len(entries))

    page = page_cache.trees.get((found.pk, found.sha, folder, recursive, start), make)
    response = HttpResponse(page.body, content_type="application/json")
    response["Cache-Control"] = "private, no-store"
    if page.more:
        response["Link"] = _next(request, address, start + PAGE)
    return response


def _below(found: Revision, folder: str, *, recursive: bool) -> Sequence[Entry]:
    entries = listing(found).below(folder, recursive=recursive)
    if entries is None:
        checkpoint = found.checkpoint
        message = f"{checkpoint} has no folder {folder} in {found.sha}"
        raise _missing(Missing.ENTRY, message, checkpoint, found)
    return entries


@hub_view("POST")
def paths_info(
    request: HttpRequest, caller: Caller, org: str, name: str, revision: str
) -> HttpResponseBase:
    """The named files and folders; names that lead nowhere are left out."""
    if request.content_type not in _FORMS:
        return serving.problem(415, "unsupported_media_type", "Send the paths as a form.")
    checkpoint = _checkpoint(caller, f"{org}/{name}")
    found = _revision(checkpoint, revision)
    known = listing(found).by_path
    asked = dict.fromkeys(path.strip("/") for path in request.POST.getlist("paths"))
    told = [path for path in asked if path in known]
    if not is_true(request.POST.get("expand")):
        return as_json([payloads.tree_entry(known[path]) for path in told])
    last, seen = last_changes(found), results.of_paths(found, told)
    return as_json(
        [payloads.tree_entry(known[path], last.get(path), seen.get(path)) for path in told]
    )


@hub_view("GET", "HEAD")
def refs(request: HttpRequest, caller: Caller, org: str, name: str) -> HttpResponseBase:
    checkpoint = _checkpoint(caller, f"{org}/{name}")
    found = Ref.objects.filter(checkpoint=checkpoint, revision__state=Revision.State.VISIBLE)
    told = payloads.refs(found.select_related("revision"))
    if request.GET.get("include_prs"):
        told["pullRequests"] = []
    return as_json(told)


@hub_view("GET", "HEAD")
def commits(
    request: HttpRequest, caller: Caller, org: str, name: str, revision: str
) -> HttpResponseBase:
    """The revision and those before it, newest first."""
    checkpoint = _checkpoint(caller, f"{org}/{name}")
    found = _revision(checkpoint, revision)
    formatted = "formatted" in expanded(request)
    return _page(
        request,
        history(found),
        lambda one: payloads.commit(one, formatted=formatted),
        f"/api/models/{checkpoint}/commits/{found.sha}",
        PAGE,
    )


@hub_view("GET", "HEAD")
def auth_check(request: HttpRequest, caller: Caller, org: str, name: str) -> HttpResponseBase:
    """Whether the caller may fetch files here, without naming one."""
    decision = gate.may_read(caller, f"{org}/{name}", timezone.now())
    if not decision.allowed:
        raise Refused(decision)
    return as_json({})


@hub_view("GET", "HEAD")
def write_check(request: HttpRequest, caller: Caller, org: str, name: str) -> HttpResponseBase:
    """Whether the caller may publish here: a release owner, with a token of scope `write`."""
    checkpoint = _checkpoint(caller, f"{org}/{name}")
    if caller.user is None or caller.token is None:
        nobody = Decision(code=Refusal.LOGIN_REQUIRED, message="Send a token that may publish.")
        return serving.refusal(request, caller, nobody)
    if Scope.WRITE not in caller.token.scopes:
        message = f"This token may not publish to {checkpoint}: it lacks the scope write."
        narrow = Decision(code=Refusal.TOKEN_SCOPE, message=message)
        return serving.refusal(request, caller, narrow)
    if not RoleAssignment.objects.covers(caller.user, _PUBLISHERS, checkpoint.tier):
        return serving.problem(
            403, "not_allowed", f"Your roles do not let you publish {checkpoint}."
        )
    return as_json({})


@hub_view("GET", "HEAD")
def whoami(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    if caller.user is None or caller.token is None:
        nobody = Decision(code=Refusal.LOGIN_REQUIRED, message="Send a token to learn whose it is.")
        return serving.refusal(request, caller, nobody)
    return as_json(payloads.whoami(caller.user, caller.token))


# -- addresses that lead nowhere ---------------------------------------------------------


@hub_view("GET", "HEAD", "POST", "PUT", "DELETE", caller=by_token)
def unknown_repository(request: HttpRequest, caller: Caller, name: str) -> HttpResponseBase:
    """The short form of a name, without organisation, which no checkpoint here has."""
    raise _missing(Missing.REPOSITORY, f"there is no checkpoint {name} here; names are ORG/NAME")


@hub_view("GET", "HEAD", "POST", "PUT", "DELETE", caller=by_token)
def other_kind(request: HttpRequest, caller: Caller, kind: str, rest: str) -> HttpResponseBase:
    """A data set or space: without the code the client blames the connection."""
    raise _missing(Missing.REPOSITORY, f"there are no {kind} here, only models")


@csrf_exempt
def browser_login(request: HttpRequest) -> HttpResponseBase:
    """Where `hf auth login` without a token asks first; its error shows this sentence."""
    page = f"{settings.PUBLIC_URL}/settings/tokens/"
    message = f"There is no login by browser here. Make a token at {page} and give it by --token."
    return serving.problem(404, "not_found", message)


@csrf_exempt
def unknown_address(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    """Everything under /api/ answers JSON, also what does not exist."""
    return serving.problem(404, "not_found", "There is no such address in this API.")


# -- steps that the views share ----------------------------------------------------------


def _checkpoint(caller: Caller, repo_id: str) -> Checkpoint:
    """A checkpoint whose metadata this caller may read: any that is published and not hidden."""
    decision = gate.may_read_about(caller, repo_id, timezone.now())
    if not decision.allowed or decision.checkpoint is None:
        raise Refused(decision)
    return decision.checkpoint


def _revision(checkpoint: Checkpoint, name: str) -> Revision:
    found = gate.find_revision(checkpoint, name)
    if found is None:
        if (gone := gate.withdrawn(checkpoint, name)) is not None:
            raise Refused(gone)
        raise _missing(Missing.REVISION, f"{checkpoint} has no revision {name}", checkpoint)
    return found


def _told_revision(
    request: HttpRequest, caller: Caller | TokenClaim, repo_id: str, rest: str, *, before: int
) -> tuple[Revision, str]:
    """The revision that this caller may read about, and the path in it: one query for both."""
    decision = Decision(missing=Missing.REVISION)
    for name, path in revision_and_path(request, repo_id, rest, before=before):
        decision = gate.find(caller, repo_id, name, timezone.now())
        if decision.allowed and decision.revision is not None:
            return decision.revision, path
        if decision.missing is not Missing.REVISION:
            break
    raise Refused(decision)


def _missing(
    what: Missing,
    message: str,
    checkpoint: Checkpoint | None = None,
    revision: Revision | None = None,
) -> Refused:
    return Refused(
        Decision(missing=what, message=message, checkpoint=checkpoint, revision=revision)
    )


def _page(
    request: HttpRequest,
    items: Sequence[Item],
    told: Callable[[Item], dict[str, Any]],
    address: str,
    size: int,
) -> HttpResponseBase:
    """One page of `items`; a `Link` header names the next, with the query as it was sent."""
    start = _offset(request.GET.get("cursor", ""))
    response = as_json([told(item) for item in items[start : start + size]])
    if start + size < len(items):
        response["Link"] = _next(request, address, start + size)
    return response


def _next(request: HttpRequest, address: str, start: int) -> str:
    query = [(k, v) for k, values in request.GET.lists() if k != "cursor" for v in values]
    query.append(("cursor", str(start)))
    return f'<{settings.PUBLIC_URL}{address}?{urlencode(query)}>; rel="next"'


def _offset(cursor: str) -> int:
    return int(cursor) if cursor.isascii() and cursor.isdecimal() and len(cursor) < 10 else 0


def as_json(told: Any) -> JsonResponse:
    response = JsonResponse(told, safe=False)
    response["Cache-Control"] = "private, no-store"
    return response


def expanded(request: HttpRequest) -> list[str]:
    """The properties asked for by `expand`, however the client spells a list."""
    return request.GET.getlist("expand") + request.GET.getlist("expand[]")


def is_true(value: str | None) -> bool:
    return (value or "").lower() in {"true", "1"}
