# One image for web, worker, beat and the one-shot preparation: the command tells which.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/
RUN /opt/venv/bin/pip install --require-hashes --requirement /tmp/requirements.txt

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=portal.settings.production
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin portal \
    && install -d -o portal -g portal /srv/weights
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY portal portal
COPY accounts accounts
COPY weights weights
COPY templates templates
COPY static static
# The settings demand values; these are thrown away with the command and reach no install.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
    LINK_KEYS="build:$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    ALLOWED_HOSTS=127.0.0.1 DATABASE_URL=postgres://unused/unused BROKER_URL=redis://unused \
    CACHE_URL=redis://unused WEIGHTS_STORAGE=file:///srv/weights \
    python manage.py collectstatic --noinput --verbosity 0
USER portal
EXPOSE 8000
CMD ["python", "-m", "portal.processes", "web"]
