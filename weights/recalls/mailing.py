"""Mails everybody who downloaded recalled bytes, exactly once per state of the recall.

The recall's row stores the progress. Each batch of mails commits together with its progress, so
workers may be killed, or run twice or in parallel: the next batch starts where the last one
ended, and the outbox accepts each mail's key once.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.background.periodic import each, queue_each
from accounts.mail import outbox
from accounts.users.models import User
from weights.recalls import affected
from weights.recalls.models import Recall
from weights.task_names import WeightsTask

#: People per transaction; each mail is a few kilobytes.
BATCH = 200
#: Delay of a second pass: by then the ledger has the responses that began before the bytes were
#: blocked.
SECOND_PASS_AFTER = timedelta(minutes=15)
MAX_PLACES = 20
_KINDS = {Recall.State.OPEN: "recall_opened", Recall.State.REPAIRED: "recall_repaired"}


def mail_people(recall_id: int) -> None:
    """Writes the mails of a recall's current state; a repeated call writes none twice."""
    while _mail_batch(recall_id):
        pass


@transaction.atomic
def _mail_batch(recall_id: int) -> bool:
    """Writes one batch. Returns False if nobody is left, or another worker has finished."""
    unfinished = Recall.objects.select_for_update(of=("self",)).filter(pk=recall_id, told_at=None)
    recall = unfinished.select_related("blob", "revision__checkpoint", "repaired_in").first()
    if recall is None:
        return False
    ids = affected.next_people(recall, recall.told_to, BATCH)
    if not ids:
        recall.told_at = timezone.now()
        recall.save(update_fields=["told_at"])
        return False
    _write(recall, ids)
    recall.told_to = ids[-1]
    recall.save(update_fields=["told_to"])
    return True


def _write(recall: Recall, ids: list[int]) -> None:
    """Writes the mails of a batch, leaving out accounts that are closed or have no address."""
    readers = User.objects.filter(pk__in=ids, is_active=True, erased_at=None)
    readers = readers.filter(emailaddress__verified=True).distinct()
    places = affected.places_by_person(recall, ids) if recall.blob is not None else {}
    for person in readers.order_by("pk"):
        own = places.get(person.pk, [])
        outbox.send(
            _KINDS[Recall.State(recall.state)],
            key=f"{recall.public_id}:{person.pk}",
            recipient=person,
            about=recall,
            context={
                "recall": recall,
                "places": own[:MAX_PLACES],
                "more": max(len(own) - MAX_PLACES, 0),
            },
        )


def sweep() -> None:
    """Continues recalls whose mailing was interrupted, and starts the second passes."""
    _start_second_passes()
    queue_each(WeightsTask.TELL_RECALL, Recall.objects.filter(told_at=None).order_by("pk"), 50)


def _start_second_passes() -> None:
    now = timezone.now()

    def restart(recall: Recall) -> int:
        due_at = recall.changed_at + SECOND_PASS_AFTER
        if recall.told_at is None or not recall.told_at < due_at <= now:
            return 0
        unchanged = Recall.objects.filter(pk=recall.pk, state=recall.state, told_at=recall.told_at)
        return unchanged.update(told_to=0, told_at=None)

    each("latecomers", Recall.objects.filter(told_at__gt=now - 4 * SECOND_PASS_AFTER), restart)
