# Python 3.13 gets security fixes until October 2029, two years longer than the oldest supported version.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/venv
COPY requirements.lock ./
# Wheels only: no build script of a package runs, and no compiler is needed.
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r requirements.lock

FROM python:3.13-slim
# BOOTSTRAP=0: the scripts use this environment instead of creating one.
# CELERY_CUSTOM_WORKER_POOL: what `celery worker -P custom` means.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 BOOTSTRAP=0 \
    CELERY_CUSTOM_WORKER_POOL=src.queues.pool:AsyncIOPool
RUN useradd --system --uid 10001 --user-group --no-create-home app
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY alembic.ini ./
COPY alembic/ alembic/
COPY scripts/ scripts/
COPY src/ src/
RUN python -m compileall -q src
USER 10001
EXPOSE 16000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:16000/livez', timeout=2)"]
# X-Forwarded-* headers are trusted only from the addresses in FORWARDED_ALLOW_IPS, which is not set here.
# --http, --ws-…: limits of requests and of websocket messages, explained in docs/operations.md.
CMD ["uvicorn", "src.main:app", "--host", "0.0.0.0", "--port", "16000", "--no-server-header", \
     "--timeout-graceful-shutdown", "20", "--http", "src.middlewares.http_protocol:HttpProtocol", \
     "--ws-max-size", "262144", "--ws-per-message-deflate", "false"]
