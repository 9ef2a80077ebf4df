"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from portal.server.chunked_bodies import ChunkedBodies
from portal.server.normalize_headers import HeaderNormalizer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")

application = HeaderNormalizer(ChunkedBodies(get_wsgi_application()))
# Import the views now, so that the first request does not wait for them.
get_resolver().reverse_dict  # noqa: B018


