"""My applications and my grants: the same rules and the same form as the pages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponse
from django.utils import timezone
from ninja import Router, responses

from accounts.applications import drafts, services, timeline
from accounts.applications.custom_questions import Extra, Kind
from accounts.applications.drafts import Filling
from accounts.applications.history import events_of
from accounts.applications.models import Application
from accounts.applications.questions import LABELS
from accounts.applications.state_machine import Status
from accounts.applications.workflow import submission
from accounts.errors import AlreadyHeld, InvalidAnswers
from accounts.grants.models import Grant
from accounts.grants.queries import live_grant
from accounts.review.models import Decision, ReasonText
from accounts.tiers.models import LicenceVersion
from weights.api import schemas
from weights.api.answers import BODY, READ, answers
from weights.api.authentication import ApiRequest, BearerToken, GatedToken, person
from weights.api.finding import tier_named
from weights.api.problems import ROOT, Fault, Refused

router = Router(tags=["Applications and grants"], auth=GatedToken())

#: What an applicant can do from each state.
_MOVES = {
    Status.DRAFT: ["save", "submit"],
    Status.RETURNED: ["save", "submit"],
    Status.SUBMITTED: ["withdraw"],
    Status.IN_REVIEW: ["withdraw"],
    Status.APPROVED: ["copy"],
    Status.REJECTED: ["copy"],
    Status.WITHDRAWN: ["copy"],
    Status.LAPSED: ["copy"],
}
#: What is accepted with a submission and is no answer to be saved.
_TERMS = {"licence_accept", "licence_sha256"}
_LARGEST = 2**63 - 1


@router.api_operation(
    READ,
    "/grants",
    response=answers(list[schemas.GrantTold]),
    auth=BearerToken(),
    summary="List my grants",
)
def grant_list(request: ApiRequest) -> list[schemas.GrantTold]:
    """Newest first, ended ones too. Only a live one opens gated checkpoints."""
    now = timezone.now()
    in_force = LicenceVersion.objects.filter(effective_at__lte=now).order_by("-effective_at")
    newest = Prefetch("tier__licence__versions", in_force, to_attr="in_force_first")
    mine = Grant.objects.filter(user=person(request)).select_related(
        "tier__licence", "licence_version__licence"
    )
    return [
        schemas.GrantTold.of(grant, outdated=_is_outdated(grant, now))
        for grant in mine.prefetch_related(newest).order_by("-starts_at")
    ]


@router.post(
    "/grants",
    response=answers(schemas.GrantTold, 404, 409, *BODY),
    summary="Accept a licence",
)
def licence_accept(request: ApiRequest, sent: schemas.Acceptance) -> schemas.GrantTold:
    """What opens a click-through tier, and what keeps a grant when its licence has a new text.

    Again changes nothing. 409 when another text is in force than the one whose hash is sent;
    a reviewed tier takes an application first.
    """
    tier, me = tier_named(sent.tier), person(request)
    try:
        grant = services.accept_licence(me, tier, licence_sha256=sent.licence_sha256)
    except AlreadyHeld:
        held = live_grant(me, tier)
        if held is None:  # an application of other days is open
            raise
        grant = held
    return schemas.GrantTold.of(grant, outdated=False)


def _is_outdated(grant: Grant, now: datetime) -> bool:
    in_force: list[LicenceVersion] = grant.tier.licence.in_force_first  # type: ignore[attr-defined]
    return not grant.licence_holds(now, grant.tier, in_force)


# -- applications -----------------------------------------------------------------------


@router.api_operation(
    READ,
    "/applications",
    response=answers(list[schemas.ApplicationTold]),
    summary="List my applications",
)
def application_list(request: ApiRequest) -> list[schemas.ApplicationTold]:
    """Newest first, drafts too."""
    mine = Application.objects.filter(applicant=person(request)).select_related("tier")
    return [
        schemas.ApplicationTold(**_facts(application))
        for application in mine.order_by("-created_at")
    ]


@router.post(
    "/applications",
    response=answers(schemas.ApplicationDetail, 404, 409, *BODY, status=201),
    summary="Begin an application",
)
def application_create(
    request: ApiRequest, response: HttpResponse, asked: schemas.TierAsked
) -> responses.Status[schemas.ApplicationDetail]:
    """A draft for a reviewed tier; the one that is there already if you began one."""
    application = services.begin(person(request), tier_named(asked.tier))
    response["Location"] = schemas.address(f"{ROOT}/applications/{application.public_id}")
    return responses.Status(201, _detail(request, application))


@router.api_operation(
    READ,
    "/applications/{uuid:public_id}",
    response=answers(schemas.ApplicationDetail, 404),
    summary="Read an application and where it stands",
)
def application_detail(request: ApiRequest, public_id: UUID) -> schemas.ApplicationDetail:
    """Its status, your answers, what still keeps it from being submitted, and what happened."""
    return _detail(request, _own(request, public_id))


@router.put(
    "/applications/{uuid:public_id}/answers",
    response=answers(schemas.ApplicationDetail, 404, 409, *BODY),
    summary="Save answers",
)
def answers_save(
    request: ApiRequest, public_id: UUID, sent: schemas.AnswersSaved
) -> schemas.ApplicationDetail:
    """Kept valid or not, in place of those before; a draft or a returned application takes them.

    409 when they were changed since `seen_version`. A document comes by an operation of its own.
    """
    application = _own(request, public_id)
    told, form = sent.answers.model_dump(exclude_none=True), _sheet(request, application).form
    _refuse_unknown(told, form.extras)
    accepted = {key: application.answers[key] for key in _TERMS if key in application.answers}
    typed = form.typed(told, [key for key in told if key in form.fields])
    submission.save_answers(
        application, typed | accepted, by=person(request), seen_version=sent.seen_version
    )
    return _detail(request, application)


def _refuse_unknown(told: dict[str, Any], extras: dict[str, Extra]) -> None:
    """An answer to a question that this form does not ask is an error, not a silence."""
    texts = {key for key, extra in extras.items() if extra.kind != Kind.FILE}
    unknown = sorted(told.keys() - (LABELS.keys() - _TERMS) - texts)
    if unknown:
        faults = [Fault(f"answers.{key}", "The form has no such question.") for key in unknown]
        raise Refused("invalid_request", "Some answers have no question.", faults=faults)


@router.post(
    "/applications/{uuid:public_id}/submit",
    response=answers(schemas.ApplicationDetail, 404, 409, *BODY),
    summary="Submit an application",
)
def application_submit(
    request: ApiRequest, public_id: UUID, sent: schemas.Submission
) -> schemas.ApplicationDetail:
    """Judge the saved answers as the page does, accept the licence and send it to review.

    422 names each field that is missing or wrong, and nothing is sent.
    """
    application = _own(request, public_id)
    accepted = {"licence_accept": sent.licence_accept, "licence_sha256": sent.licence_sha256}
    try:
        drafts.submit(
            application, by=person(request), seen_version=sent.seen_version, answers=accepted
        )
    except InvalidAnswers as error:
        detail = "Correct the fields, then submit again."
        raise Refused("invalid_answers", detail, faults=_faults(error.form)) from error
    return _detail(request, application)


@router.post(
    "/applications/{uuid:public_id}/withdraw",
    response=answers(schemas.ApplicationDetail, 404, 409, *BODY),
    summary="Withdraw an application",
)
def application_withdraw(
    request: ApiRequest, public_id: UUID, sent: schemas.Withdrawal | None = None
) -> schemas.ApplicationDetail:
    """One that waits for its answer; a later one begins anew."""
    application = _own(request, public_id)
    submission.withdraw(application, by=person(request), reason=sent.reason if sent else "")
    return _detail(request, application)


@router.post(
    "/applications/{uuid:public_id}/copy",
    response=answers(schemas.ApplicationDetail, 404, 409, status=201),
    summary="Copy an ended application as a new draft",
)
def application_copy(
    request: ApiRequest, response: HttpResponse, public_id: UUID
) -> responses.Status[schemas.ApplicationDetail]:
    """The answers last sent, to change and submit. 429 while days of waiting are left."""
    draft = submission.copy_as_new(_own(request, public_id), by=person(request))
    response["Location"] = schemas.address(f"{ROOT}/applications/{draft.public_id}")
    return responses.Status(201, _detail(request, draft))


@router.post(
    "/applications/{uuid:public_id}/adopt",
    response=answers(schemas.ApplicationDetail, 404, 409),
    summary="Adopt the questions that the tier asks now",
)
def application_adopt(request: ApiRequest, public_id: UUID) -> schemas.ApplicationDetail:
    """For a draft whose `questions_outdated` is true; every answer is kept."""
    application = _own(request, public_id)
    submission.adopt_questions(application, by=person(request))
    return _detail(request, application)


@router.put(
    "/applications/{uuid:public_id}/remarks/{int:number}",
    response=answers(schemas.ApplicationDetail, 404, 409, *BODY),
    summary="Answer a remark",
)
def remark_answer(
    request: ApiRequest, public_id: UUID, number: int, sent: schemas.RemarkAnswered
) -> schemas.ApplicationDetail:
    """In place of an earlier answer; empty takes it back. While the application is open."""
    application = _own(request, public_id)
    if number > _LARGEST or not application.remarks.filter(pk=number, is_public=True).exists():
        raise Refused("remark_not_found", f"{application.reference} has no remark {number}.")
    submission.answer_remarks(application, {number: sent.answer}, by=person(request))
    return _detail(request, application)


def _own(request: ApiRequest, public_id: UUID) -> Application:
    mine = Application.objects.filter(applicant=person(request)).select_related(
        "tier__licence", "form"
    )
    application = mine.filter(public_id=public_id).first()
    if application is None:
        raise Refused("application_not_found", f"You have no application {public_id}.")
    return application


# -- the form ---------------------------------------------------------------------------


def _sheet(request: ApiRequest, application: Application) -> Filling:
    return Filling(application, person(request))


def _faults(form: Any) -> list[Fault]:
    """What keeps the form from being submitted, field by field."""
    return [
        Fault("" if field == "__all__" else field, str(message))
        for field, messages in form.errors.items()
        for message in messages
    ]


def _open_points(sheet: Filling) -> list[schemas.FieldFault]:
    """What still keeps the answers as they are from being submitted, but for the licence."""
    if not sheet.application.is_editable:
        return []
    return [
        schemas.FieldFault(**fault._asdict())
        for fault in _faults(sheet.form)
        if fault.field not in _TERMS
    ]


# -- what is told -----------------------------------------------------------------------


def _moves(application: Application) -> list[str]:
    return _MOVES.get(Status(application.status), [])


def _facts(application: Application) -> dict[str, Any]:
    return {
        "id": application.public_id,
        "reference": application.reference,
        "tier": application.tier.slug,
        "status": application.status,
        "created_at": application.created_at,
        "submitted_at": application.submitted_at,
        "decided_at": application.decided_at,
        "answer_expected_by": application.due_on,
        "url": schemas.address(f"/applications/{application.public_id}/"),
    }


def _detail(request: ApiRequest, application: Application) -> schemas.ApplicationDetail:
    licence, sheet = application.tier.licence, _sheet(request, application)
    words = ReasonText.objects.current()
    kept = [one for found in sheet.documents.values() for one in found]
    files = {extra.key for extra in sheet.extras if extra.kind == Kind.FILE}
    told = {key: application.answers[key] for key in application.answers.keys() - _TERMS - files}
    return schemas.ApplicationDetail(
        **_facts(application),
        version=application.answers_version,
        answers=told,
        questions=[schemas.QuestionTold.of(extra) for extra in sheet.extras],
        questions_outdated=services.may_adopt(application),
        documents=[schemas.DocumentTold.of(one) for one in kept],
        remarks=[schemas.RemarkTold.of(one) for one in application.remarks.filter(is_public=True)],
        open_points=_open_points(sheet),
        moves=_moves(application),
        terms=schemas.LicenceTold.of(licence, licence.in_force()),
        decisions=[_decision(decision, words) for decision in timeline.decisions_told(application)],
        events=[
            schemas.EventTold(at=event.at, text=event.text, note=event.note)
            for event in events_of(application)
        ],
    )


def _decision(decision: Decision, words: dict[str, tuple[str, str]]) -> schemas.DecisionTold:
    return schemas.DecisionTold(
        verdict=decision.verdict,
        at=decision.created_at,
        reasons=[
            schemas.ReasonTold(code=code, label=words[code][0], remedy=words[code][1])
            for code in decision.reasons
        ],
        note=decision.note,
    )
