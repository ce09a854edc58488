# syntax=docker/dockerfile:1
# The product as an image: `docker run -p 8080:8080 -v dawr:/data dawr`. It keeps its data in /data on an embedded PostgreSQL;
# with DATABASE_URL it uses that server, and /data holds the installation's keys only.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/dawr
# The requirements change seldom, the source often: two layers.
COPY requirements/uv.txt requirements/app.txt requirements/
RUN /opt/dawr/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/uv.txt \
 && /opt/dawr/bin/uv pip sync --python /opt/dawr/bin/python --compile-bytecode --require-hashes requirements/app.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/dawr/bin/uv pip install --python /opt/dawr/bin/python --compile-bytecode --offline --no-build-isolation --no-deps .

FROM python:${PYTHON}-slim-bookworm
LABEL org.opencontainers.image.title="Dawr" \
      org.opencontainers.image.description="Gets people through a hospital or clinic" \
      org.opencontainers.image.licenses="Apache-2.0"
# A user with an entry of its own: PostgreSQL asks for its name, and refuses to run as root.
RUN useradd --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin dawr \
 && install -d -o dawr -g dawr -m 0700 /data
COPY --from=build /opt/dawr /opt/dawr
ENV PATH=/opt/dawr/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DAWR_HOST=0.0.0.0 DAWR_PORT=8080 DAWR_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"DAWR_PORT\"]}/api/v1/health/live', timeout=2)"]
ENTRYPOINT ["dawr"]
CMD ["serve"]
