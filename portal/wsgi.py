"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from portal.server.chunked_bodies import ChunkedBodies
from portal.server.normalize_headers import HeaderNormalizer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")

_portal = HeaderNormalizer(ChunkedBodies(get_wsgi_application()))
# Import the views now, so that the first request does not wait for them.
get_resolver().reverse_dict  # noqa: B018

# It imports models, which are loaded only now.
from portal.metrics.endpoint import MetricsEndpoint  # noqa: E402

application = MetricsEndpoint(_portal)
