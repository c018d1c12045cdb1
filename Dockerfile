# syntax=docker/dockerfile:1
# The image keeps its database below /data and listens on all addresses: see config/container.yaml.
#
#   docker build -t sojourn .
#   docker run -p 127.0.0.1:4317:4317 -p 127.0.0.1:4318:4318 -p 127.0.0.1:4321:4321 -v sojourn:/data sojourn

FROM rust:1.90-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir 'maturin>=1.9,<2'
WORKDIR /src
COPY . .
RUN /opt/build/bin/maturin build --release --locked --out /wheels

FROM python:3.12-slim-bookworm
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl \
 && rm -r /wheels \
 && useradd --system --uid 10001 --home-dir /data --create-home sojourn
COPY config/container.yaml /etc/sojourn/config.yaml
ENV SOJOURN_DATA_DIR=/data PYTHONUNBUFFERED=1
USER 10001
VOLUME /data
EXPOSE 4317 4318 4321 8123 8888 13133
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:13133/', timeout=2)"]
CMD ["sojourn", "run", "--config", "/etc/sojourn/config.yaml"]
