# The router in an image of nothing but itself: one static program, the certificates that
# TLS needs, and a folder for its data. There is no shell in it, it does not run as root,
# and its root file system may be read-only. The default policy is part of the program.
#
#   docker build -t ollama-router .
#   docker run -p 11434:11434 -e OPENROUTER_API_KEY -v ollama-router:/data ollama-router
#
# Builds on amd64 and on arm64, for the kind of machine that it is built on.
ARG RUST=1.95

FROM rust:${RUST}-slim-bookworm AS build
WORKDIR /src
# Whatever version Debian has of these is right.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates musl-tools \
    && rm -rf /var/lib/apt/lists/* \
    && rustup target add "$(uname -m)-unknown-linux-musl"
ENV CC_x86_64_unknown_linux_musl=musl-gcc \
    CC_aarch64_unknown_linux_musl=musl-gcc

# The dependencies, which take most of the time, are built of the manifests alone: this
# layer stays in the cache until one of them changes.
COPY Cargo.toml Cargo.lock ./
COPY host/Cargo.toml host/
COPY policies/free-mode/Cargo.toml policies/free-mode/
RUN mkdir -p host/src host/benches policies/free-mode/src tests/e2e \
    && for file in host/src/main.rs host/benches/policy.rs host/benches/overhead.rs tests/e2e/main.rs tests/tidy.rs; do \
        echo 'fn main() {}' >"$file"; \
    done \
    && touch host/src/lib.rs policies/free-mode/src/lib.rs \
    && cargo build --profile dist --locked --package ollama-router --target "$(uname -m)-unknown-linux-musl"

# Cargo goes by the times of files, and those of the stand-ins above are later.
COPY wit wit
COPY policies policies
COPY host host
RUN touch host/src/main.rs host/src/lib.rs \
    && cargo build --profile dist --locked --package ollama-router --target "$(uname -m)-unknown-linux-musl" \
    && install -D "target/$(uname -m)-unknown-linux-musl/dist/ollama-router" /image/usr/local/bin/ollama-router \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && echo 'ollama-router:x:65532:65532::/data:/sbin/nologin' >/image/etc/passwd \
    && mkdir -p /data/.config/ollama-router/models-filter /data/.config/ollama-router/policies

FROM scratch
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ollama-router" \
      org.opencontainers.image.description="Ollama, OpenAI and Anthropic clients on OpenRouter's free models" \
      org.opencontainers.image.source="https://github.com/ollama-router/ollama-router" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
# Configuration, filter, policies and state. It is in the image so that a new volume there
# belongs to the user who writes to it.
COPY --from=build --chown=65532:65532 /data /data
ENV HOME=/data PATH=/usr/local/bin
WORKDIR /data
VOLUME ["/data"]
USER 65532:65532
EXPOSE 11434
# Whether it answers, at the port of the configuration: another one is set as PORT or in the
# file. `status` would also fail while the day's requests are used up, or a change was
# refused, and no other container would mend that.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=2s \
    CMD ["/usr/local/bin/ollama-router", "policy", "list"]
ENTRYPOINT ["/usr/local/bin/ollama-router"]
CMD ["start"]
