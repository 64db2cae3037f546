#!/usr/bin/env bash
# Builds Prism, Beam's engine in Go, of the environment's version of Beam, to .engines/. Go verifies the modules by their checksums.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v go >/dev/null || { echo "darkroom: Prism is built by Go, which is not installed" >&2; exit 1; }
version="$(.venv/bin/python -c 'from importlib.metadata import version; print(version("apache-beam"))')"
[ ! -x ".engines/prism-$version" ] || exit 0
mkdir -p .engines
GOBIN="$PWD/.engines" GOFLAGS=-trimpath go install "github.com/apache/beam/sdks/v2/go/cmd/prism@v$version"
mv .engines/prism ".engines/prism-$version"
