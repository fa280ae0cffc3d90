# The daemon itself in a container, beside the agents that it starts on the same engine: see compose.yaml.
# Built from the repository's root: docker build -f docker/orchestrad.Dockerfile .
ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE}

# Debian's docker.io brings the docker command, which the terminals run (docker attach).
RUN apt-get update -q \
 && apt-get install -y -q --no-install-recommends ca-certificates curl docker.io git openssh-client python3 python3-venv tini tmux \
 && rm -rf /var/lib/apt/lists/*

# pip's own variables (an index, a proxy) may be given with --build-arg; they are not kept.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
COPY . /src
RUN python3 -m venv /opt/orchestrad \
 && /opt/orchestrad/bin/pip install --no-cache-dir /src \
 && rm -rf /src

ENV PATH=/opt/orchestrad/bin:$PATH LANG=C.UTF-8 TERM=xterm-256color
# tini reaps what tmux leaves behind, and passes TERM on.
ENTRYPOINT ["tini", "--", "orchestrad"]
