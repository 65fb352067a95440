# The router in a small image: built with Rust, run without a shell, not as root.
# The default policy is part of the binary; no wasm target is needed.
FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package ollama-router

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/ollama-router /usr/local/bin/ollama-router
# Configuration, filter and state; mount a volume here to keep them.
ENV HOME=/data
WORKDIR /data
EXPOSE 11434
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["ollama-router", "status"]
ENTRYPOINT ["ollama-router"]
CMD ["start"]
