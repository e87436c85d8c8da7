# syntax=docker/dockerfile:1
# One build, three small images: `auth-server`, `mcp-server`, and `portico` (all in one). None has a shell; `portico health` is the probe.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package portico --package auth-server --package mcp-server \
    && install -D --target-directory=/out target/dist/portico target/dist/auth-server target/dist/mcp-server

FROM gcr.io/distroless/cc-debian12:nonroot AS base
COPY --from=build /out/portico /portico
USER 65532:65532

FROM base AS auth-server
COPY --from=build /out/auth-server /auth-server
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --retries=6 CMD ["/portico", "health", "http://127.0.0.1:8080/health/ready"]
ENTRYPOINT ["/auth-server"]
CMD ["serve"]

FROM base AS mcp-server
COPY --from=build /out/mcp-server /mcp-server
EXPOSE 8081
HEALTHCHECK --interval=10s --timeout=5s --retries=6 CMD ["/portico", "health", "http://127.0.0.1:8081/health/ready"]
ENTRYPOINT ["/mcp-server"]

FROM base AS portico
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --retries=6 CMD ["/portico", "health", "http://127.0.0.1:8080/health/ready"]
ENTRYPOINT ["/portico"]
CMD ["up", "--listen", "0.0.0.0:8080"]
