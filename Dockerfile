# One image with both binaries: colloquy-local-server (the default) and colloquy-redis-http.
# docker-compose.yml runs them together. Needs BuildKit, the default of current Docker.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
COPY . .
# The cache mounts persist between builds, so that a change does not recompile every dependency.
# They are not part of the image, so the binaries are copied out in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked -p colloquy-local-server -p colloquy-redis-http \
    && mkdir /out \
    && cp target/release/colloquy-local-server target/release/colloquy-redis-http /out/

FROM debian:bookworm-slim
# Certificates for a Redis over HTTPS, such as Upstash.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 colloquy \
    && useradd --system --uid 10001 --gid 10001 --no-create-home colloquy \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /out/ /usr/local/bin/
# Containers log to standard output and listen on all interfaces.
ENV HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data \
    LOG_DIR=
# By number, so that Kubernetes can see that it is not root. The root file system may be read-only.
USER 10001:10001
# Mount a volume here. The image declares none: every container without a mount, such as
# colloquy-redis-http, would leave an anonymous volume behind.
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["colloquy-local-server", "healthcheck"]
ENTRYPOINT ["colloquy-local-server"]
CMD ["serve"]
