"""Uploads of files: `preupload` and `commit`."""

from django.http import HttpRequest, HttpResponseBase

from accounts.errors import AccountsCode
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.delivery import serving
from weights.errors import UnknownRevision
from weights.hub_api.publishing import commit_lines, upload_modes
from weights.hub_api.publishing.branch_names import branch_name
from weights.hub_api.publishing.checks import await_checks
from weights.hub_api.publishing.decorators import not_offered, owner_view
from weights.hub_api.publishing.ignore_rules import IgnoreRules
from weights.hub_api.responses import is_true, json_response
from weights.publishing.drafts import commits, queries
from weights.publishing.models import Revision
from weights.uploads import quotas
from weights.web import strict_json

NO_PULL_REQUESTS = (
    "This portal has no pull requests: upload without --create-pr. A commit is a draft that only"
    " owners see until one of them publishes it."
)
#: Maximum JSON values in a body that announces 256 files.
_MAX_VALUES = 8 * upload_modes.MAX_FILES


@owner_view("POST")
def preupload(
    request: HttpRequest, owner: User, checkpoint: Checkpoint, revision: str
) -> HttpResponseBase:
    """Answer how to send each announced file.

    Refuses pull requests and files beyond the quota here, before anything is sent: clients that
    send chunks print no reason for later refusals.
    """
    if is_true(request.GET.get("create_pr")):
        return not_offered(NO_PULL_REQUESTS)
    head = _branch_head(checkpoint, branch_name(revision))
    body = strict_json.read_object(request, max_values=_MAX_VALUES)
    rules = IgnoreRules(strict_json.text(body, "gitIgnore"))
    files = upload_modes.read(body)
    sent = [(one.size, one.sample) for one in files if not rules.ignores(one.path)]
    quotas.demand_room_for_files(checkpoint, owner, sent)
    return json_response({"files": upload_modes.answers(files, head, rules)})


@owner_view("POST")
def commit(
    request: HttpRequest, owner: User, checkpoint: Checkpoint, revision: str
) -> HttpResponseBase:
    """Commits the operations in the body to the branch.

    Responds once the files are checked, or after 20 seconds.
    """
    if is_true(request.GET.get("create_pr")):
        return not_offered(NO_PULL_REQUESTS)
    if request.content_type != "application/x-ndjson":
        message = "Send the commit as application/x-ndjson."
        return serving.problem(415, AccountsCode.UNSUPPORTED_MEDIA_TYPE, message)
    branch = branch_name(revision)
    _branch_head(checkpoint, branch)
    lines = commit_lines.Lines(request, int(request.META.get("CONTENT_LENGTH") or 0))
    header = lines.read_header()
    made = commits.commit(
        checkpoint,
        branch,
        lines.read_operations(),
        by=owner,
        message=header.message,
        parent=header.parent,
    )
    await_checks(made)
    return json_response(_answer(request, made))


def _branch_head(checkpoint: Checkpoint, branch: str) -> Revision:
    """The newest revision of the branch, drafts included. Raises UnknownRevision."""
    head = queries.branch_head(checkpoint.pk, branch)
    if head is None:
        raise UnknownRevision(f"{checkpoint} has no branch {branch}; create it first")
    return head


def _answer(request: HttpRequest, made: Revision) -> dict[str, object]:
    url = request.build_absolute_uri(f"/{made.checkpoint.repo_id}/commit/{made.sha}")
    return {"success": True, "commitOid": made.sha, "commitUrl": url, "hookOutput": ""}
