"""The caller's applications, with the same rules and form as the web pages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from ninja import Router
from ninja.responses import Status as Response

from accounts.applications import drafts, services, timeline
from accounts.applications.custom_questions import CustomQuestion, Kind
from accounts.applications.drafts import ApplicationDraft
from accounts.applications.models import Application
from accounts.applications.questions import LABELS
from accounts.applications.timeline import events_of
from accounts.applications.transition_table import Status
from accounts.applications.workflow import appeals, submission
from accounts.applications.workflow.eligibility import may_apply_from
from accounts.errors import AccountsCode, InvalidAnswers
from accounts.review.models import Decision, ReasonText
from weights.api.authentication import ApiRequest, GatedToken, current_user
from weights.api.lookups import get_tier
from weights.api.operations import BODY_ERRORS, READ_METHODS, responses
from weights.api.problems import ApiError, FieldError, form_errors
from weights.api.schemas.applications import (
    AnswersIn,
    AppealIn,
    ApplicationDetail,
    ApplicationIn,
    ApplicationOut,
    DecisionOut,
    DocumentOut,
    EventOut,
    QuestionOut,
    ReasonOut,
    RemarkAnswerIn,
    RemarkOut,
    SubmissionIn,
    WithdrawalIn,
)
from weights.api.schemas.common import absolute_url
from weights.api.schemas.problems import FieldErrorOut
from weights.api.schemas.tiers import LicenceOut
from weights.errors import WeightsCode

router = Router(tags=["Applications and grants"], auth=GatedToken())

#: The applicant's possible actions in each state.
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
#: Accepted on submission, and never saved as answers.
_TERMS = {"licence_accept", "licence_sha256"}
_BIGINT_MAX = 2**63 - 1


@router.api_operation(
    READ_METHODS,
    "/applications",
    response=responses(list[ApplicationOut]),
    summary="List my applications",
)
def application_list(request: ApiRequest) -> list[ApplicationOut]:
    """Newest first, drafts included."""
    applications = Application.objects.filter(applicant=current_user(request))
    newest_first = applications.select_related("tier", "predecessor").order_by("-created_at")
    return [ApplicationOut(**_fields(application)) for application in newest_first]


@router.post(
    "/applications",
    response=responses(ApplicationDetail, 404, 409, *BODY_ERRORS, status=201),
    summary="Start an application",
)
def application_create(
    request: ApiRequest, response: HttpResponse, body: ApplicationIn
) -> Response[ApplicationDetail]:
    """Creates a draft for a reviewed tier, or returns the draft that exists."""
    application = services.begin(current_user(request), get_tier(body.tier))
    response["Location"] = _url(application)
    return Response(201, _detail(request, application))


@router.api_operation(
    READ_METHODS,
    "/applications/{uuid:public_id}",
    response=responses(ApplicationDetail, 404),
    summary="Read an application and its status",
)
def application_detail(request: ApiRequest, public_id: UUID) -> ApplicationDetail:
    """The status, your answers, the errors that prevent submission, and the history."""
    return _detail(request, _own(request, public_id))


@router.put(
    "/applications/{uuid:public_id}/answers",
    response=responses(ApplicationDetail, 404, 409, *BODY_ERRORS),
    summary="Save answers",
)
def answers_save(request: ApiRequest, public_id: UUID, body: AnswersIn) -> ApplicationDetail:
    """Replaces the answers of a draft or a returned application; they need not be valid yet.

    409 if they have changed since `seen_version`. Documents have separate operations.
    """
    application = _own(request, public_id)
    answers, form = body.answers.model_dump(exclude_none=True), _draft(request, application).form
    _reject_unknown(answers, form.custom_questions)
    accepted = {key: application.answers[key] for key in _TERMS if key in application.answers}
    typed = form.draft_answers(answers, [key for key in answers if key in form.fields])
    submission.save_answers(
        application, typed | accepted, by=current_user(request), expected_version=body.seen_version
    )
    return _detail(request, application)


def _reject_unknown(answers: dict[str, Any], custom_questions: dict[str, CustomQuestion]) -> None:
    """Raises ApiError for answers to questions that the form does not have."""
    texts = {key for key, question in custom_questions.items() if question.kind != Kind.FILE}
    unknown = sorted(answers.keys() - (LABELS.keys() - _TERMS) - texts)
    if unknown:
        errors = [
            FieldError(f"answers.{key}", "The form does not have this question.") for key in unknown
        ]
        raise ApiError(
            WeightsCode.INVALID_REQUEST,
            "Some answers do not belong to a question.",
            field_errors=errors,
        )


@router.post(
    "/applications/{uuid:public_id}/submit",
    response=responses(ApplicationDetail, 404, 409, *BODY_ERRORS),
    summary="Submit an application",
)
def application_submit(
    request: ApiRequest, public_id: UUID, body: SubmissionIn
) -> ApplicationDetail:
    """Validates the saved answers, accepts the licence and sends the application to review.

    A 422 response names each missing or invalid field; the application is unchanged.
    """
    application = _own(request, public_id)
    accepted = {"licence_accept": body.licence_accept, "licence_sha256": body.licence_sha256}
    try:
        drafts.submit(
            application,
            by=current_user(request),
            expected_version=body.seen_version,
            answers=accepted,
        )
    except InvalidAnswers as error:
        detail = "Correct the fields, then submit again."
        raise ApiError(
            AccountsCode.INVALID_ANSWERS, detail, field_errors=form_errors(error.form)
        ) from error
    return _detail(request, application)


@router.post(
    "/applications/{uuid:public_id}/withdraw",
    response=responses(ApplicationDetail, 404, 409, *BODY_ERRORS),
    summary="Withdraw an application",
)
def application_withdraw(
    request: ApiRequest, public_id: UUID, body: WithdrawalIn | None = None
) -> ApplicationDetail:
    """Ends an application that awaits its decision; you may apply again later."""
    application = _own(request, public_id)
    submission.withdraw(application, by=current_user(request), reason=body.reason if body else "")
    return _detail(request, application)


@router.post(
    "/applications/{uuid:public_id}/copy",
    response=responses(ApplicationDetail, 404, 409, status=201),
    summary="Copy an ended application as a new draft",
)
def application_copy(
    request: ApiRequest, response: HttpResponse, public_id: UUID
) -> Response[ApplicationDetail]:
    """Creates a draft with the last submitted answers. 429 until the waiting period has ended."""
    draft = submission.copy_as_new(_own(request, public_id), by=current_user(request))
    response["Location"] = _url(draft)
    return Response(201, _detail(request, draft))


@router.post(
    "/applications/{uuid:public_id}/appeal",
    response=responses(ApplicationDetail, 404, 409, *BODY_ERRORS, status=201),
    summary="Appeal a rejection",
)
def application_appeal(
    request: ApiRequest, response: HttpResponse, public_id: UUID, body: AppealIn
) -> Response[ApplicationDetail]:
    """Creates an application of kind `appeal`, which another reviewer decides; once, until
    `appeal_until`."""
    made = appeals.appeal(_own(request, public_id), body.text, by=current_user(request))
    response["Location"] = _url(made)
    return Response(201, _detail(request, made))


@router.post(
    "/applications/{uuid:public_id}/adopt",
    response=responses(ApplicationDetail, 404, 409),
    summary="Adopt the tier's current questions",
)
def application_adopt(request: ApiRequest, public_id: UUID) -> ApplicationDetail:
    """For a draft whose `questions_outdated` is true; all answers are preserved."""
    application = _own(request, public_id)
    submission.adopt_questions(application, by=current_user(request))
    return _detail(request, application)


@router.put(
    "/applications/{uuid:public_id}/remarks/{int:number}",
    response=responses(ApplicationDetail, 404, 409, *BODY_ERRORS),
    summary="Answer a remark",
)
def remark_answer(
    request: ApiRequest, public_id: UUID, number: int, body: RemarkAnswerIn
) -> ApplicationDetail:
    """Replaces an earlier answer; an empty one deletes it. Only while the application is open."""
    application = _own(request, public_id)
    if number > _BIGINT_MAX or not application.remarks.filter(pk=number, is_public=True).exists():
        raise ApiError(
            WeightsCode.REMARK_NOT_FOUND, f"{application.reference} has no remark {number}."
        )
    submission.answer_remarks(application, {number: body.answer}, by=current_user(request))
    return _detail(request, application)


def _url(application: Application) -> str:
    return absolute_url(reverse("api:application_detail", args=[application.public_id]))


def _own(request: ApiRequest, public_id: UUID) -> Application:
    mine = Application.objects.filter(applicant=current_user(request)).select_related(
        "tier__licence", "form", "predecessor"
    )
    application = mine.filter(public_id=public_id).first()
    if application is None:
        raise ApiError(WeightsCode.APPLICATION_NOT_FOUND, f"You have no application {public_id}.")
    return application


# -- the form ---------------------------------------------------------------------------


def _draft(request: ApiRequest, application: Application) -> ApplicationDraft:
    return ApplicationDraft(application, current_user(request))


def _open_points(draft: ApplicationDraft) -> list[FieldErrorOut]:
    """The errors that prevent submission, other than the missing acceptance of the licence."""
    if not draft.application.is_editable:
        return []
    return [
        FieldErrorOut.from_orm(error)
        for error in form_errors(draft.form)
        if error.field not in _TERMS
    ]


# -- responses -------------------------------------------------------------------------


def _fields(application: Application) -> dict[str, Any]:
    return {
        "id": application.public_id,
        "reference": application.reference,
        "kind": application.kind,
        "predecessor": application.predecessor.public_id if application.predecessor else None,
        "tier": application.tier.slug,
        "status": application.status,
        "created_at": application.created_at,
        "submitted_at": application.submitted_at,
        "decided_at": application.decided_at,
        "answer_expected_by": application.due_on,
        "url": absolute_url(reverse("accounts:application-detail", args=[application.public_id])),
    }


def _moves(application: Application) -> list[str]:
    appeal = ["appeal"] if appeals.deadline(application) else []
    return _MOVES.get(Status(application.status), []) + appeal


def _reapply_from(application: Application) -> datetime | None:
    """When the application may be copied; None without a waiting period, or while it is open."""
    if not application.is_terminal:
        return None
    return may_apply_from(application.applicant, application.tier)


def _detail(request: ApiRequest, application: Application) -> ApplicationDetail:
    licence, draft = application.tier.accepted_licence, _draft(request, application)
    reason_texts = ReasonText.objects.current()
    documents = [one for attached in draft.documents.values() for one in attached]
    files = {question.key for question in draft.custom_questions if question.kind == Kind.FILE}
    saved = {key: application.answers[key] for key in application.answers.keys() - _TERMS - files}
    return ApplicationDetail(
        **_fields(application),
        version=application.answers_version,
        answers=saved,
        questions=[QuestionOut.of(question) for question in draft.custom_questions],
        questions_outdated=services.may_adopt(application),
        documents=[DocumentOut.from_orm(one) for one in documents],
        remarks=[RemarkOut.from_orm(one) for one in application.remarks.filter(is_public=True)],
        open_points=_open_points(draft),
        moves=_moves(application),
        appeal_text=application.appeal_text,
        appeal_until=appeals.deadline(application),
        reapply_from=_reapply_from(application),
        terms=LicenceOut.of(licence, licence.in_force()),
        decisions=[
            _decision(decision, reason_texts)
            for decision in timeline.visible_decisions(application)
        ],
        events=[EventOut.from_orm(event) for event in events_of(application)],
    )


def _decision(decision: Decision, texts: dict[str, tuple[str, str]]) -> DecisionOut:
    return DecisionOut(
        verdict=decision.verdict,
        at=decision.created_at,
        reasons=[
            ReasonOut(code=code, label=texts[code][0], remedy=texts[code][1])
            for code in decision.reasons
        ],
        note=decision.note,
    )
