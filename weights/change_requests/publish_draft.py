"""The act of publishing files of a stricter tier; a second person approves it."""

from django.urls import reverse

from accounts.change_requests.acts import Act, Change, Description
from accounts.change_requests.models import ChangeRequest
from accounts.roles.permissions import Role
from weights.publishing.drafts import publication
from weights.publishing.drafts.publication import Choices
from weights.publishing.models import Revision


class PublishDraft(Act):
    name, title = publication.ACT, "Publish files of a stricter tier"
    requesters = frozenset({Role.RELEASE_OWNER})
    #: Lead reviewers do not see private checkpoints.
    confirmers = frozenset({Role.RELEASE_OWNER, Role.ADMINISTRATOR})

    def describe(self, request: ChangeRequest) -> Description:
        draft = _draft(request)
        if draft is None:
            return Description(f"Publish the draft {request.parameters['sha'][:12]}, now discarded")
        tier = draft.checkpoint.tier
        others = [one.name for one in request.tiers.exclude(pk=tier.pk)]
        path = reverse("admin:weights_checkpoint_change", args=[draft.checkpoint_id])
        where = Change("Files available in", ", ".join(others), ", ".join([*others, tier.name]))
        return Description(f"Publish {draft} in the tier {tier}", [where], path)

    def obstacle(self, request: ChangeRequest) -> str:
        draft = _draft(request)
        if draft is None:
            return "the draft was discarded"
        if not request.tiers.filter(pk=draft.checkpoint.tier_id).exists():
            return f"{draft.checkpoint} is now in the tier {draft.checkpoint.tier}"
        further = set(publication.stricter_tiers(draft)) - set(request.tiers.all())
        if further:
            names = ", ".join(sorted(tier.name for tier in further))
            return f"its files are now also published in {names}; publish the draft again"
        return publication.obstacles(draft, Choices.from_json(request.parameters))

    def execute(self, request: ChangeRequest) -> None:
        draft = _draft(request)
        assert draft is not None  # `obstacle` checked this in the same transaction
        choices = Choices.from_json(request.parameters)
        publication.publish_confirmed(draft, choices, by=request.requester)


def _draft(request: ChangeRequest) -> Revision | None:
    drafts = Revision.objects.select_related("checkpoint__tier__licence")
    return drafts.filter(pk=request.object_id, sha=request.parameters["sha"]).first()
