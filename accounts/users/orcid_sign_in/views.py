"""The OAuth views, with the URLs of orcid.org or its sandbox."""

from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.orcid.views import OrcidOAuth2Adapter
from django.conf import settings


class OrcidAdapter(OrcidOAuth2Adapter):
    authorize_url = f"{settings.ORCID_URL}/oauth/authorize"
    access_token_url = f"{settings.ORCID_URL}/oauth/token"
    profile_url = f"{settings.ORCID_API_URL}/v3.0/%s/record"


oauth2_login = OAuth2LoginView.adapter_view(OrcidAdapter)
oauth2_callback = OAuth2CallbackView.adapter_view(OrcidAdapter)
