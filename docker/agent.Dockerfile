# The image that agents run in: git, curl, ps and the pinned Claude Code CLI on top of any Debian-like base.
#
# The scripts and settings that an agent needs are mounted when it starts, read-only, so they are not here and a change
# of them builds nothing. Nothing here asks for BuildKit, because the SDK of docker builds without it.
#
# The build context is a directory with this file and `fetch-claude` from docker/, and whatever else the directory named
# by ORCHESTRAD_BUILD_CONTEXT_EXTRA holds. Two things in there are known, both optional:
#   cli/claude    the CLI's binary, fetched before: then, on a base that has the tools, the build needs no network
#   hostconf.tar  unpacked at / before the CLI is fetched, for machines that reach the registry in a way of their own
#                 (certificates; proxies as `export` lines in etc/hostconf.env). It may hold secrets: it stays in the
#                 `fetch` stage. For the packages of the `tools` stage the proxy build arguments of docker apply.

ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BASE_IMAGE} AS tools
RUN set -eu; \
    lacking=; \
    for pair in git=git curl=curl ps=procps bash=bash update-ca-certificates=ca-certificates; do \
      command -v "${pair%%=*}" >/dev/null || lacking="$lacking ${pair#*=}"; \
    done; \
    if [ -n "$lacking" ]; then \
      command -v apt-get >/dev/null || { echo "the base image lacks$lacking and has no apt-get to add it" >&2; exit 1; }; \
      apt-get update -q; \
      DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $lacking; \
      rm -rf /var/lib/apt/lists/*; \
    fi; \
    # Programs that ask who they are (whoami, ssh) want a name for the uid that agents have by default.
    grep -q '^[^:]*:[^:]*:1000:' /etc/passwd || echo 'agent:x:1000:1000:agent:/home/agent:/bin/bash' >>/etc/passwd; \
    grep -q '^[^:]*:[^:]*:1000:' /etc/group || echo 'agent:x:1000:' >>/etc/group

FROM tools AS fetch
# What a build leaves of this stage is dangling; by this label it can be found and pruned.
LABEL io.orchestrad.stage=fetch
# The one place that says which version agents run; everything else reads it here.
ARG CLAUDE_CODE_VERSION=2.1.329
ARG NPM_REGISTRY=https://registry.npmjs.org
COPY . /context/
RUN set -eu; \
    if [ -f /context/hostconf.tar ]; then tar -xf /context/hostconf.tar -C /; fi; \
    if [ -f /etc/hostconf.env ]; then . /etc/hostconf.env; fi; \
    [ -f /context/cli/claude ] || sh /context/fetch-claude "$CLAUDE_CODE_VERSION" /context/cli "$NPM_REGISTRY"; \
    [ -x /context/cli/claude ] || chmod 755 /context/cli/claude; \
    HOME=/tmp /context/cli/claude --version | grep -qF "$CLAUDE_CODE_VERSION " \
      || { echo "cli/claude of the build context is not version $CLAUDE_CODE_VERSION" >&2; exit 1; }

FROM tools
COPY --from=fetch /context/cli/claude /usr/local/bin/claude
CMD ["bash"]
