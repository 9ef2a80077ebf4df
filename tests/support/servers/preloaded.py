"""Modules that the fork server (forked.py) imports before it forks: the portal with loaded apps.

They open no connection to database, cache or broker, because children could not share it.
"""

import os

import celery.bin.celery
import celery.bin.worker
import celery.concurrency.thread
import celery.worker.components
import celery.worker.consumer  # noqa: F401
import django
import django.test.signals
import gunicorn.app.wsgiapp  # noqa: F401
import kombu.transport.redis  # noqa: F401

django.setup()

import portal.celery  # noqa: E402
import portal.server.chunked_bodies  # noqa: E402
import portal.server.gunicorn_worker  # noqa: E402
import portal.server.normalize_headers  # noqa: E402
import portal.settings.audit_record  # noqa: E402
import portal.urls  # noqa: E402, F401
import tests.support.servers.forked  # noqa: E402, F401 - its functions are what a child runs first
import weights.storage.s3  # noqa: E402, F401

assert len(os.listdir("/proc/self/task")) == 1, "a thread would not survive the fork"  # noqa: PTH208
