# syntax=docker/dockerfile:1
# One image with both programs: colloquy-local-server (what runs by default) and
# colloquy-redis-http. docker-compose.yml shows them together.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
COPY . .
# The caches outlive a build, so that a changed line does not compile every dependency anew; what
# is wanted is copied out of them in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked -p colloquy-local-server -p colloquy-redis-http \
    && mkdir /out \
    && cp target/release/colloquy-local-server target/release/colloquy-redis-http /out/

FROM debian:bookworm-slim
# For a Redis over https, such as Upstash's.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home colloquy \
    && install --directory --owner colloquy --group colloquy --mode 0700 /data
COPY --from=build /out/ /usr/local/bin/
# Containers log to standard output, and are reached from outside or not at all.
ENV HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data \
    LOG_DIR=
USER colloquy
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["colloquy-local-server", "healthcheck"]
ENTRYPOINT ["colloquy-local-server"]
CMD ["serve"]
