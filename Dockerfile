# syntax=docker/dockerfile:1
# One image a service, all from one build:
#   docker build --target knowledge-base --tag bywash/knowledge-base:0.1.0 .
# Targets: knowledge-base, governor, gpu-monitor, push-gateway, setup. The tests compare this file with the chart and
# the workspace; the versions below are those the tests run with.

# The console's pages.
FROM node:22.21.1-bookworm-slim AS console
WORKDIR /src/services/push-gateway/console
COPY services/push-gateway/console/package.json services/push-gateway/console/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY services/push-gateway/console ./
RUN npm run build

# All binaries. The toolchain file stays outside: the image is the toolchain.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY proto-schemas proto-schemas
COPY services services
COPY tests tests
COPY xtask xtask
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked \
        --package knowledge-base --package governor --package gpu-monitor --package push-gateway --package chassis \
        --bins \
    && install -D --target-directory=/out \
        target/release/bywash-knowledge-base \
        target/release/bywash-governor \
        target/release/bywash-gpu-monitor \
        target/release/bywash-push-gateway \
        target/release/bywash-setup

# The C library and certificates, and nothing else: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot AS runtime
USER 65532:65532

FROM runtime AS knowledge-base
COPY --from=build /out/bywash-knowledge-base /usr/local/bin/bywash-knowledge-base
EXPOSE 5001
ENTRYPOINT ["/usr/local/bin/bywash-knowledge-base"]

FROM runtime AS governor
COPY --from=build /out/bywash-governor /usr/local/bin/bywash-governor
EXPOSE 5002
ENTRYPOINT ["/usr/local/bin/bywash-governor"]

FROM runtime AS gpu-monitor
COPY --from=build /out/bywash-gpu-monitor /usr/local/bin/bywash-gpu-monitor
EXPOSE 5003
ENTRYPOINT ["/usr/local/bin/bywash-gpu-monitor"]

FROM runtime AS push-gateway
COPY --from=build /out/bywash-push-gateway /usr/local/bin/bywash-push-gateway
COPY --from=console /src/services/push-gateway/console/dist /usr/share/bywash/console
ENV BYWASH_CONSOLE_DIR=/usr/share/bywash/console
EXPOSE 8000
ENTRYPOINT ["/usr/local/bin/bywash-push-gateway"]

FROM runtime AS setup
COPY --from=build /out/bywash-setup /usr/local/bin/bywash-setup
ENTRYPOINT ["/usr/local/bin/bywash-setup"]
