"""URLs of tiers, licences, applications, grants, audit events and API tokens."""

from django.urls import path

from accounts.api_tokens import views as api_tokens
from accounts.applications.documents import views as documents
from accounts.applications.views import appeal, detail, review, start, steps
from accounts.audit import views as audit
from accounts.grants import views as grants
from accounts.privacy import views as privacy
from accounts.tiers import views as tiers
from accounts.transparency import views as transparency

app_name = "accounts"
urlpatterns = [
    path("licences/", tiers.licence_list, name="licence-list"),
    path("licences/<slug:slug>/", tiers.licence_detail, name="licence-detail"),
    path("licences/<slug:slug>/<str:version>/", tiers.licence_detail, name="licence-version"),
    path("tiers/", tiers.tier_list, name="tier-list"),
    path("tiers/<slug:slug>/", tiers.tier_detail, name="tier-detail"),
    path("apply/<slug:slug>/", start.application_create, name="application-create"),
    path("applications/", detail.application_list, name="application-list"),
    path("applications/<uuid:public_id>/", detail.application_detail, name="application-detail"),
    path(
        "applications/<uuid:public_id>/form/<slug:step>/",
        steps.application_step,
        name="application-step",
    ),
    path(
        "applications/<uuid:public_id>/review/",
        review.application_review,
        name="application-review",
    ),
    path(
        "applications/<uuid:public_id>/adopt/",
        steps.application_adopt,
        name="application-adopt",
    ),
    path(
        "applications/<uuid:public_id>/withdraw/",
        detail.application_withdraw,
        name="application-withdraw",
    ),
    path(
        "applications/<uuid:public_id>/delete/",
        detail.application_delete,
        name="application-delete",
    ),
    path("access/<uuid:public_id>/give-back/", grants.grant_surrender, name="grant-surrender"),
    path(
        "applications/<uuid:public_id>/appeal/",
        appeal.application_appeal,
        name="application-appeal",
    ),
    path("applications/<uuid:public_id>/copy/", detail.application_copy, name="application-copy"),
    path(
        "applications/<uuid:public_id>/mails/<uuid:mail_id>/",
        detail.application_mail,
        name="application-mail",
    ),
    path(
        "applications/<uuid:public_id>/answers/",
        detail.application_answer,
        name="application-answer",
    ),
    path(
        "applications/<uuid:public_id>/documents/<slug:question>/",
        documents.document_add,
        name="document-add",
    ),
    path("applications/documents/<uuid:public_id>/", documents.document, name="document"),
    path(
        "applications/documents/<uuid:public_id>/remove/",
        documents.document_remove,
        name="document-remove",
    ),
    path("privacy/", privacy.privacy, name="privacy"),
    path("settings/erase/", privacy.account_erase, name="account-erase"),
    path("transparency/", transparency.transparency_page, name="transparency"),
    path("transparency/audit/", audit.audit, name="audit"),
    path("transparency/audit/check_proof.py", audit.proof_script, name="audit-proof-script"),
    path("transparency/audit-head", audit.head_newest, name="audit-head"),
    path("transparency/audit-head/<int:size>", audit.head_of_size, name="audit-head-of-size"),
    path("access/events/", audit.own_events, name="own-events"),
    path("access/proofs/<slug:log>/<int:row_id>.json", audit.own_proof, name="own-proof"),
    path("settings/tokens/", api_tokens.token_list, name="token-list"),
    path("settings/tokens/<uuid:public_id>/revoke/", api_tokens.token_revoke, name="token-revoke"),
]
