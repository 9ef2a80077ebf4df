"""A WSGI application with only `comparisons.records`: no middleware, no access checks."""

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

django.setup(set_prefix=False)
settings.MIDDLEWARE = []  # after setup(), because apps check for their middleware
settings.ROOT_URLCONF = "comparisons.records"
application = WSGIHandler()
