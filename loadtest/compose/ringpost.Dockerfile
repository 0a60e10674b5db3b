# ringpost's image: its program and the libraries it links to, nothing else; no shell to log in to.
# Build context: the repository (see ringpost.Dockerfile.dockerignore).
FROM debian:bookworm-slim AS build
WORKDIR /ringpost
COPY tools/install tools/postgres-bindir tools/
RUN tools/install build && rm -rf /var/lib/apt/lists/*
COPY . .
# Kept between builds of the image, so that a change compiles what it touches. By what differs from the last build, not by time: a file
# that was written while that one ran is older than its object.
RUN --mount=type=cache,target=/ringpost/build \
    touch build/sources && find . -path ./build -prune -o -type f -exec sha256sum {} + >build/now && \
    { grep -vxFf build/sources build/now || true; } | cut -c67- | xargs -rd '\n' touch && \
    { [ -f build/build.ninja ] || meson setup build; } && ninja -C build ringpost && mv build/now build/sources && \
    cp build/ringpost /usr/local/bin/
RUN mkdir -p /image/etc && cp -L --parents $(ldd /usr/local/bin/ringpost | grep -o '/[^ ]*') /image && \
    cp /usr/local/bin/ringpost /image/ && cp /etc/nsswitch.conf /image/etc/ && \
    echo 'ringpost:x:65532:65532:ringpost:/:' >/image/etc/passwd

FROM scratch
COPY --from=build /image /
USER 65532:65532
ENV PORT=8082
EXPOSE 8082
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --start-interval=500ms --retries=3 \
  CMD ["/ringpost", "--healthcheck"]
ENTRYPOINT ["/ringpost"]
