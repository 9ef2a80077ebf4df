"""The server processes: gunicorn's worker, header normalisation, Celery's consumer, the cache."""
