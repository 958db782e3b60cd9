FROM python:3.11-slim AS build
WORKDIR /source
COPY constraints.txt ./
RUN pip install --no-cache-dir -c constraints.txt hatchling
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY alembic alembic
COPY static static
COPY html_templates html_templates
COPY input_templates input_templates
COPY workflows workflows
RUN python -m hatchling build -t wheel -d /wheels

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 crystaldeck \
    && mkdir -p /data /etc/crystaldeck \
    && chown crystaldeck /data
COPY constraints.txt /tmp/
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir -c /tmp/constraints.txt /tmp/wheels/*.whl && rm -r /tmp/wheels /tmp/constraints.txt

USER crystaldeck
WORKDIR /home/crystaldeck
ENV CRYSTALDECK_DATA=/data CRYSTALDECK_CONFIG=/etc/crystaldeck/config.toml CRYSTALDECK_HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"
CMD ["crystaldeck", "serve"]
