"""The act of overriding the refusal of a file; a second person approves it."""

from django.urls import reverse

from accounts.change_requests.acts import Act, Change, Description
from accounts.change_requests.models import ChangeRequest
from accounts.roles.permissions import Role
from weights.inspection import overrides
from weights.inspection.models import Inspection


class OverrideInspection(Act):
    name, title = overrides.ACT, "Let a refused file pass"
    requesters = confirmers = frozenset({Role.RELEASE_OWNER})

    def describe(self, request: ChangeRequest) -> Description:
        inspection = _inspection(request)
        return Description(
            f"Serve {inspection.blob} as {inspection.family}, although {inspection.kind} was "
            f"refused: {request.parameters['refusal']}",
            [
                Change("Served", "no", "yes, once its bytes were read again"),
                Change("Imports", ", ".join(inspection.imports) or "none", "the same"),
            ],
            reverse("admin:weights_inspection_change", args=[inspection.pk]),
        )

    def obstacle(self, request: ChangeRequest) -> str:
        return overrides.outdated_reason(request, _inspection(request))

    def execute(self, request: ChangeRequest) -> None:
        overrides.grant(request, _inspection(request))


def _inspection(request: ChangeRequest) -> Inspection:
    return Inspection.objects.select_related("blob").get(pk=request.object_id)
