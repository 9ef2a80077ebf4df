# One image for web, worker, beat and the one-shot preparation; the command selects one.
# It runs as its own user, writes only to /tmp and /srv/weights, and contains no secret.
#
# A tag instead of a digest, so that each build has current security updates. For reproducible
# builds pass one: --build-arg PYTHON=python:3.13-slim-trixie@sha256:...
ARG PYTHON=python:3.13-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# pg_dump for backups: Debian 13 has PostgreSQL 17, the version of docker-compose.yml. The package needs
# Perl for scripts that nobody here runs, so the image takes two programs of it.
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client-17
COPY requirements.txt /tmp/
# Left out is what never runs: pip itself, the packages' tests, sources of translations, and
# descriptions of AWS's services other than storage and the credentials for it.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --require-hashes --requirement /tmp/requirements.txt \
    && /opt/venv/bin/pip uninstall --yes pip \
    && cd /opt/venv/lib/python3.*/site-packages \
    && find . -depth -type d -name tests -exec rm -r {} + \
    && find . -name '*.po' -delete \
    && find botocore/data -mindepth 1 -maxdepth 1 -type d \
      ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} +

# The documentation site, which the portal serves at /docs/.
FROM ${PYTHON} AS docs
COPY requirements-docs.txt /tmp/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes --requirement /tmp/requirements-docs.txt
WORKDIR /src
COPY . .
# The portal's umask hides files from other users; root writes these, and those of collectstatic.
RUN DATA_DIR=/tmp/data /opt/venv/bin/python docs/site/build.py build/docs && chmod -R a+rX build/docs/html

FROM ${PYTHON}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=portal.settings.production
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libpq5 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin portal \
    && install -d -o portal -g portal /srv/weights
COPY --from=build /usr/lib/postgresql/17/bin/pg_dump /usr/lib/postgresql/17/bin/pg_restore \
    /usr/lib/postgresql/17/bin/
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY portal portal
COPY accounts accounts
COPY weights weights
COPY templates templates
COPY static static
COPY --from=docs /src/build/docs/html build/docs/html
# Compiled here, because a read-only container would compile every file at every start. The settings
# require values; these exist only for this command.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
    LINK_KEYS="build:$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    ENCRYPTION_KEYS="build:$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    ALLOWED_HOSTS=127.0.0.1 DATABASE_URL=postgres://unused/unused BROKER_URL=redis://localhost/0 \
    CACHE_URL=redis://localhost/1 WEIGHTS_STORAGE=file:///srv/weights \
    python manage.py collectstatic --noinput --verbosity 0 --ignore 'redoc*' \
    && find staticfiles -name '*.map*' -delete \
    && python -m compileall -q portal accounts weights \
    && chmod -R a+rX staticfiles
USER 10001:10001
EXPOSE 8000
# For the web server; docker-compose.yml has the health checks of the others.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["python", "-m", "portal.health_check"]
CMD ["python", "-m", "portal.processes", "web"]
