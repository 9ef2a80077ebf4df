"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from portal.chunked import MeasuredBodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")

application = MeasuredBodies(get_wsgi_application())
