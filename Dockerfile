# One image with both binaries: `sealgate` (the default) and `sealgate-worker`. No shell, not root, nothing to write to.

FROM rust:1.95.0-bookworm AS base
# aws-lc-sys and libsqlite3-sys compile C.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# rust-toolchain.toml also names components that a build does not need; the image's own toolchain is that version.
ENV RUSTUP_TOOLCHAIN=1.95.0
RUN cargo install --locked --version 0.1.78 cargo-chef

FROM base AS recipe
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM base AS build
# The dependencies alone: a layer that stays until they change.
COPY --from=recipe /build/recipe.json recipe.json
RUN cargo chef cook --release --locked --workspace --bins --recipe-path recipe.json
COPY . .
RUN cargo build --release --locked --workspace --bins

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/sealgate /build/target/release/sealgate-worker /usr/local/bin/
USER 65532:65532
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/sealgate"]
