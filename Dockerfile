FROM python:3.11-slim

RUN useradd --create-home --uid 1000 crystaldeck \
    && mkdir -p /data /etc/crystaldeck \
    && chown crystaldeck /data
WORKDIR /srv/crystaldeck
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY app app
COPY alembic alembic
COPY static static
COPY html_templates html_templates
COPY input_templates input_templates
COPY workflows workflows
# Installed in place: the templates, pages and migrations lie beside the package.
RUN pip install --no-cache-dir -c constraints.txt -e .

USER crystaldeck
ENV CRYSTALDECK_DATA=/data CRYSTALDECK_CONFIG=/etc/crystaldeck/config.toml CRYSTALDECK_HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"
CMD ["crystaldeck", "serve"]
