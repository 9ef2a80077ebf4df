# One image for web, worker, beat and the one-shot preparation; the command selects one.
# It runs as its own user, writes only to /tmp and /srv/weights, and contains no secret.
#
# A tag instead of a digest, so that each build has current security updates. For reproducible
# builds pass one: --build-arg PYTHON=python:3.11-slim-trixie@sha256:...
ARG PYTHON=python:3.11-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/
RUN /opt/venv/bin/pip install --require-hashes --requirement /tmp/requirements.txt

FROM ${PYTHON}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=portal.settings.production
# pg_dump for backups: Debian 13 has PostgreSQL 17, the version of docker-compose.yml.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin portal \
    && install -d -o portal -g portal /srv/weights
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY portal portal
COPY accounts accounts
COPY weights weights
COPY templates templates
COPY static static
# The settings require values; these exist only for this command.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
    LINK_KEYS="build:$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    ENCRYPTION_KEYS="build:$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    ALLOWED_HOSTS=127.0.0.1 DATABASE_URL=postgres://unused/unused BROKER_URL=redis://localhost/0 \
    CACHE_URL=redis://localhost/1 WEIGHTS_STORAGE=file:///srv/weights \
    python manage.py collectstatic --noinput --verbosity 0 \
    # The portal's umask hides files from other users; root writes these.
    && chmod -R a+rX staticfiles
USER 10001:10001
EXPOSE 8000
# For the web server; docker-compose.yml has the health checks of the others.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["python", "-m", "portal.health_check"]
CMD ["python", "-m", "portal.processes", "web"]
