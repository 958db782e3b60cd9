# Pinned by digest, so that the same image is built tomorrow. To move on to a newer one, print its digest with
# `docker buildx imagetools inspect python:3.11-slim-bookworm`.
FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS base
ENV PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

FROM base AS build
WORKDIR /source
COPY constraints.txt ./
COPY scripts/requirements scripts/
RUN scripts/requirements build > build.txt && pip install --require-hashes -r build.txt \
    && scripts/requirements service > /requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY alembic alembic
COPY static static
COPY html_templates html_templates
COPY input_templates input_templates
COPY workflows workflows
RUN python -m hatchling build -t wheel -d /wheels

FROM base
# Nothing but these two folders is written to: the rest of the file system can be read-only. The master keys lie apart from the
# data, so that a copy of the data gives no secret away.
RUN useradd --create-home --uid 1000 crystaldeck \
    && mkdir -p /data /keys /etc/crystaldeck \
    && chown crystaldeck /data /keys && chmod 700 /data /keys
RUN --mount=from=build,source=/requirements.txt,target=/requirements.txt pip install --require-hashes -r /requirements.txt
RUN --mount=from=build,source=/wheels,target=/wheels pip install --no-deps --no-index /wheels/*.whl

USER 1000
WORKDIR /home/crystaldeck
ENV CRYSTALDECK_DATA=/data CRYSTALDECK_MASTER_KEY_FILE=/keys/master.key \
    CRYSTALDECK_CONFIG=/etc/crystaldeck/config.toml CRYSTALDECK_HOST=0.0.0.0
VOLUME ["/data", "/keys"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["crystaldeck", "serve"]
