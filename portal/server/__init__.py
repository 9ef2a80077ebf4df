"""The server processes: gunicorn's worker, WSGI middleware, Celery's consumer, the cache."""
