"""Pages of people: licences, applications, tokens."""

from django.urls import path

from accounts.views import applications, grants, licences, tokens

app_name = "accounts"
urlpatterns = [
    path("licences/", licences.licence_list, name="licence-list"),
    path("licences/<slug:slug>/", licences.licence_detail, name="licence-detail"),
    path("licences/<slug:slug>/<str:version>/", licences.licence_detail, name="licence-version"),
    path("apply/<slug:slug>/", applications.application_create, name="application-create"),
    path("applications/", applications.application_list, name="application-list"),
    path(
        "applications/<uuid:public_id>/",
        applications.application_detail,
        name="application-detail",
    ),
    path(
        "applications/<uuid:public_id>/withdraw/",
        applications.application_withdraw,
        name="application-withdraw",
    ),
    path("access/<uuid:public_id>/give-back/", grants.grant_surrender, name="grant-surrender"),
    path("settings/tokens/", tokens.token_list, name="token-list"),
    path("settings/tokens/<uuid:public_id>/revoke/", tokens.token_revoke, name="token-revoke"),
]
