"""The files that use given bytes, and the people whom their quarantine would affect."""

from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File
from weights.recalls import affected
from weights.recalls.models import Recall
from weights.storage.models import Blob

#: Maximum number of files that are listed; a link leads to the others.
FILES_NAMED = 20


def files_of(blob: Blob, reader: User) -> QuerySet[File]:
    """The files with these bytes in checkpoints that the reader may see, without drafts."""
    visible = Checkpoint.objects.visible_to(reader)
    files = File.objects.without_drafts().filter(blob=blob, revision__checkpoint__in=visible)
    return files.select_related("revision__checkpoint").order_by(
        "revision__checkpoint__org", "revision__checkpoint__name", "path", "-revision__created_at"
    )


def file_links(blob: Blob, reader: User) -> SafeString:
    """Links to the admin pages of the files and their checkpoints, at most FILES_NAMED files."""
    files = files_of(blob, reader)
    named = files[:FILES_NAMED]
    links = format_html_join(
        SafeString("<br>"),
        '<a href="{}"><bdi>{}</bdi></a> of <a href="{}">{}</a>, revision {}',
        (
            (
                reverse("admin:weights_file_change", args=[file.pk]),
                file.path,
                reverse("admin:weights_checkpoint_change", args=[file.revision.checkpoint_id]),
                file.revision.checkpoint,
                file.revision.sha[:12],
            )
            for file in named
        ),
    )
    rest = files.count() - len(named)
    if rest > 0:
        page = reverse("admin:weights_file_changelist")
        links += format_html('<br><a href="{}?q={}">{} more</a>', page, blob.sha256, rest)
    return links or SafeString("no file that you may see")


def reach(blob: Blob, reader: User) -> list[str | SafeString]:
    """Sentences about the files and people that a quarantine of these bytes would affect."""
    files = files_of(blob, reader)
    counts = files.order_by().aggregate(
        files=Count("pk"),
        revisions=Count("revision", distinct=True),
        checkpoints=Count("revision__checkpoint", distinct=True),
    )
    visible = Checkpoint.objects.visible_to(reader).values("pk")
    rows = affected.fetches(Recall(blob=blob)).filter(checkpoint_id__in=visible)
    fetched = affected.reach(Recall(blob=blob), rows)
    summary = " in ".join(_count(counts[name], name) for name in ("files", "revisions"))
    summary += f" of {_count(counts['checkpoints'], 'checkpoints')}"
    sentences: list[str | SafeString] = [
        format_html("{}:<br>{}", summary, file_links(blob, reader)),
        f"People who downloaded these bytes: {fetched.people}; anonymous downloads:"
        f" {fetched.anonymous}",
    ]
    if File.objects.without_drafts().filter(blob=blob).count() > counts["files"]:
        sentences.append("Other tiers use them too: only a release owner of those can do this")
    return sentences


def _count(number: int, plural: str) -> str:
    return f"{number} {plural.removesuffix('s') if number == 1 else plural}"
