#!/usr/bin/env bash
# `make test-newer`: on a system that cannot load TFX 1.21, in a root of Debian 13 with its own Python. Sets a copy of this checkout
# up from nothing, runs the pipeline on the digits, the quick tests of what differs between the lines, and tests/lines: a work folder
# and its models on both.
# The root is made on first use and kept, with what was downloaded. DEBIAN13_ROOT says where it lies.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${DEBIAN13_ROOT:-/var/tmp/darkroom-debian13}
skip() { echo "test-newer: skipped: $1" >&2; exit 0; }
took() { echo "test-newer: $1: $((SECONDS - begun)) s" >&2; begun=$SECONDS; }
begun=$SECONDS

[ "$(printf '%s\n' 2.39 "$(getconf GNU_LIBC_VERSION | sed 's/^glibc //')" | sort -V | sed -n 1p)" != 2.39 ] ||
  skip "this system loads TFX 1.21: make test"
[ "$(id -u)" = 0 ] || skip "chroot needs root"
for command in debootstrap unshare; do
  command -v $command >/dev/null || skip "there is no $command"
done
unshare --mount --pid --fork --mount-proc true 2>/dev/null || skip "mounts are not allowed here"

if [ ! -e "$root/.ready" ]; then
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates,g++,git,make,python3-dev,python3-pip,python3-venv trixie "$root" >"$root.log" 2>&1 ||
    skip "debootstrap made no root of Debian 13: see $root.log"
  touch "$root/.ready"
  took "a root of Debian 13"
fi
# It reaches the registries as this machine does.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
  [ ! -e $file ] || cp $file "$root$file"
done
rm -rf "$root/opt/darkroom"
mkdir -p "$root/opt/darkroom"
git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from - | tar -x -C "$root/opt/darkroom"

TESTS=(
  tests/common/test_lean_imports.py tests/components/{baselines,data_gate,evaluator,serving_check}
  tests/components/image_example_gen/readers/{columnar,test_records.py} tests/kubeflow/compile tests/pipeline/{graph,maintenance,metadata}
  tests/requirements tests/serving tests/trainer/export tests/trainer/likelihoods tests/trainer/program
  tests/trainer/test_preprocessing.py --ignore=tests/serving/explorer
)
tests/lines/enter.sh "$root" "" make run
took "make run from nothing"
# Both at once: each is mostly one process, and libraries are imported once.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
tests/lines/enter.sh "$root" "" .venv/bin/python -m pytest -q --durations=10 -m "not slow and not cluster" "${TESTS[@]}" >"$said" 2>&1 &
failed=0
DARKROOM_NEWER_ROOT=$root .venv/bin/python -m pytest -q --durations=10 tests/lines || failed=1
took "both lines by turns"
wait $! || failed=1
cat "$said"
took "the quick tests beside it, from then on"
exit $failed
