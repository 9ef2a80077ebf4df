"""Branches and tags."""

from django.http import HttpRequest, HttpResponseBase

from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.hub_api.publishing.branch_names import branch_name
from weights.hub_api.publishing.decorators import not_offered, owner_view
from weights.hub_api.responses import json_response
from weights.publishing.drafts import branches
from weights.publishing.queries import DEFAULT_BRANCH
from weights.web import strict_json


@owner_view("POST", "DELETE")
def branch(
    request: HttpRequest, owner: User, checkpoint: Checkpoint, revision: str
) -> HttpResponseBase:
    """Creates the branch at `startingPoint`, or deletes it."""
    name = branch_name(revision)
    if request.method == "DELETE":
        branches.delete_branch(checkpoint, name, by=owner)
        return json_response({})
    body = strict_json.read_object(request)
    if body.get("emptyBranch") or body.get("overwrite"):
        return not_offered("This portal does not create empty branches or overwrite existing ones.")
    start = strict_json.text(body, "startingPoint") or DEFAULT_BRANCH
    branches.create_branch(checkpoint, name, by=owner, starting_point=start)
    return json_response({})


@owner_view("POST", "DELETE")
def tag(
    request: HttpRequest, owner: User, checkpoint: Checkpoint, revision: str
) -> HttpResponseBase:
    """Creates a tag at `revision`, or deletes the tag that `revision` names."""
    if request.method == "DELETE":
        branches.delete_tag(checkpoint, revision.removeprefix("refs/tags/"), by=owner)
        return json_response({})
    name = strict_json.text(strict_json.read_object(request), "tag")
    branches.create_tag(checkpoint, name, by=owner, revision=revision)
    return json_response({})


@owner_view("POST")
def super_squash(
    request: HttpRequest, owner: User, checkpoint: Checkpoint, revision: str
) -> HttpResponseBase:
    return not_offered(
        "This portal keeps the history of a branch, so that past downloads stay traceable."
        " Discard drafts that you do not need, or withdraw a published revision."
    )
