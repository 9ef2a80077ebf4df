"""Mail everybody who fetched what is called back: each once a state, and nobody else.

The recall's row holds how far it is. A batch of mails and the mark behind it share a
transaction, so a worker may be killed at any instant, run twice or beside another: the next
batch begins where the last one ended, and the outbox takes each mail's key once.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.background.periodic import each, queue_each
from accounts.mail import outbox
from accounts.users.models import User
from weights.recalls import affected
from weights.recalls.models import Recall
from weights.recalls.opening import TASK

#: People a transaction; each mail is a few kilobytes.
BATCH = 200
#: An answer that began before the bytes were closed is in the ledger by then; those who had
#: one are looked for once more.
LATECOMERS = timedelta(minutes=15)
PLACES_TOLD = 20
_KINDS = {Recall.State.OPEN: "recall_opened", Recall.State.REPAIRED: "recall_repaired"}


def tell(recall_id: int) -> None:
    """Write the mails of a recall's present state; again writes none twice."""
    while _tell_some(recall_id):
        pass


@transaction.atomic
def _tell_some(recall_id: int) -> bool:
    """One batch; False once nobody is left, or another has seen to it."""
    waiting = Recall.objects.select_for_update(of=("self",)).filter(pk=recall_id, told_at=None)
    recall = waiting.select_related("blob", "revision__checkpoint", "repaired_in").first()
    if recall is None:
        return False
    ids = affected.people_after(recall, recall.told_to, BATCH)
    if not ids:
        recall.told_at = timezone.now()
        recall.save(update_fields=["told_at"])
        return False
    _write(recall, ids)
    recall.told_to = ids[-1]
    recall.save(update_fields=["told_to"])
    return True


def _write(recall: Recall, ids: list[int]) -> None:
    """Closed and erased accounts have nobody who reads."""
    readers = User.objects.filter(pk__in=ids, is_active=True, erased_at=None).exclude(email="")
    places = affected.places_by_person(recall, ids) if recall.blob is not None else {}
    for person in readers.order_by("pk"):
        own = places.get(person.pk, [])
        outbox.send(
            _KINDS[Recall.State(recall.state)],
            to=person.email,
            key=f"{recall.public_id}:{person.pk}",
            recipient=person,
            about=recall,
            context={
                "recall": recall,
                "places": own[:PLACES_TOLD],
                "more": max(len(own) - PLACES_TOLD, 0),
            },
        )


def sweep() -> None:
    """Go on with recalls whose mails a crash broke off, and look once for latecomers."""
    _look_for_latecomers()
    queue_each(TASK, Recall.objects.filter(told_at=None).order_by("pk"), 50)


def _look_for_latecomers() -> None:
    now = timezone.now()

    def look(recall: Recall) -> int:
        again = recall.changed_at + LATECOMERS
        if recall.told_at is None or not recall.told_at < again <= now:
            return 0
        same = Recall.objects.filter(pk=recall.pk, state=recall.state, told_at=recall.told_at)
        return same.update(told_to=0, told_at=None)

    each("latecomers", Recall.objects.filter(told_at__gt=now - 4 * LATECOMERS), look)
