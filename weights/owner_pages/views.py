"""My checkpoints: the list, the page of one with its tags, and the people who downloaded it."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.errors import DomainError
from accounts.web.current_user import signed_in
from accounts.web.sanitize import storable
from weights.catalogue.models import Checkpoint
from weights.integrity import verification
from weights.ledger.models import Download
from weights.owner_pages import fetchers, queries
from weights.owner_pages.forms import TagForm
from weights.owner_pages.lookup import own_checkpoint, release_owners_only
from weights.owner_pages.refusals import sentence_of
from weights.publishing.drafts import branches, owners
from weights.publishing.drafts.queries import drafts_of
from weights.publishing.models import Revision

#: Rows shown: checkpoints per page, drafts, published revisions, and people per page.
PAGE_SIZE, DRAFTS_SHOWN, REVISIONS_SHOWN, PEOPLE_PAGE = 30, 30, 20, 100


@release_owners_only
@require_safe
def checkpoint_list(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    own = queries.checkpoints_in(owners.tiers_of(person))
    drafts = drafts_of(person).exclude(file_count=0)
    newest = queries.unpublished(drafts[:DRAFTS_SHOWN])
    context = {
        "page": Paginator(own, PAGE_SIZE).get_page(request.GET.get("page")),
        "drafts": newest,
        "draft_count": drafts.count(),
        "is_live": any(one.waiting for one in newest),
    }
    return render(request, "weights/owner_pages/list.html", context)


@own_checkpoint
@require_safe
def checkpoint_detail(request: HttpRequest, checkpoint: Checkpoint) -> HttpResponse:
    return render_detail(request, checkpoint)


def render_detail(
    request: HttpRequest, checkpoint: Checkpoint, *, form: TagForm | None = None
) -> HttpResponse:
    work = queries.revisions_in_work(checkpoint, drafts_of(signed_in(request)))
    in_work = queries.unpublished(work)
    failed = [one.revision for one in in_work if one.quarantined]
    visible = list(checkpoint.revisions.visible().select_related("author")[:REVISIONS_SHOWN])
    refs = queries.refs_by_revision(checkpoint)
    context = {
        "checkpoint": checkpoint,
        "in_work": [(one, refs.get(one.revision.pk, [])) for one in in_work],
        "is_live": any(one.waiting for one in in_work),
        "failures": verification.progress_of_revisions(failed).failures if failed else [],
        "visible": [(one, refs.get(one.pk, [])) for one in visible],
        "form": form or TagForm(choices=_choices([*work, *visible])),
    }
    return render(request, "weights/owner_pages/detail.html", context, status=422 if form else 200)


def _choices(revisions: list[Revision]) -> list[tuple[str, str]]:
    return [(one.sha, f"{one.sha[:12]} · {one.title[:60]}") for one in revisions if one.file_count]


@own_checkpoint
@require_POST
def tag_create(request: HttpRequest, checkpoint: Checkpoint) -> HttpResponse:
    revisions = Revision.objects.filter(checkpoint=checkpoint, file_count__gt=0)
    form = TagForm(request.POST, choices=_choices(list(revisions)))
    if form.is_valid():
        tag, sha = form.cleaned_data["tag"], form.cleaned_data["revision"]
        try:
            branches.create_tag(checkpoint, tag, by=signed_in(request), revision=sha)
        except DomainError as error:
            form.add_error("tag", sentence_of(error))
        else:
            messages.success(request, f"{sha[:12]} now has the tag {tag}.")
            return redirect("weights:own-detail", checkpoint.org, checkpoint.name)
    return render_detail(request, checkpoint, form=form)


@own_checkpoint
@require_POST
def tag_delete(request: HttpRequest, checkpoint: Checkpoint) -> HttpResponse:
    tag = storable(request.POST.get("tag", ""))[:200]
    try:
        branches.delete_tag(checkpoint, tag, by=signed_in(request))
    except DomainError as error:
        messages.error(request, sentence_of(error))
    else:
        messages.success(request, f"The tag {tag} is deleted.")
    return redirect("weights:own-detail", checkpoint.org, checkpoint.name)


@own_checkpoint
@require_safe
def fetched(request: HttpRequest, checkpoint: Checkpoint) -> HttpResponse:
    """The people who downloaded this checkpoint, and the number of anonymous downloads."""
    rows = Download.objects.fetched().filter(checkpoint_id=checkpoint.pk)
    page = Paginator(fetchers.by_person(rows), PEOPLE_PAGE).get_page(request.GET.get("page"))
    context = {
        "checkpoint": checkpoint,
        "page": page,
        "people": fetchers.with_people(page.object_list),
        "anonymous": rows.filter(user_id=None).count(),
    }
    return render(request, "weights/owner_pages/fetched.html", context)
