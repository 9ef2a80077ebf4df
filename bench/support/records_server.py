"""The listing of `support.records` alone: no middleware, no rights, the portal's database."""

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

django.setup(set_prefix=False)
settings.MIDDLEWARE = []  # only now: apps refuse to start without theirs
settings.ROOT_URLCONF = "support.records"
application = WSGIHandler()
