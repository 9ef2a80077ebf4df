"""URLs of the provider: `/accounts/orcid/login/` and the OAuth callback."""

from allauth.socialaccount.providers.oauth2.urls import default_urlpatterns

from accounts.users.orcid_sign_in.provider import OrcidProvider

urlpatterns = default_urlpatterns(OrcidProvider)
