#!/usr/bin/env bash
# Makes the environment .venv from the lock files: uv through pip, Python 3.10 through uv, then exactly what is locked.
# Nothing is resolved, and every file is checked against its hash.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'darkroom: %s\n' "$1" >&2; }
fail() { say "$1"; exit 1; }

say "making the environment (about 3 GB, once) ..."
export PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=1  # trusts what the system trusts, proxies included
unset VIRTUAL_ENV PYTHONPATH

# Any Python with pip can fetch uv; the project's own Python is found below.
for python in python3.10 python3 python; do
  "$python" -m pip --version >/dev/null 2>&1 && break || python=
done
[ -n "$python" ] || fail "no Python with pip was found: install one, such as Debian's python3-pip"
if [ ! -x .uv/bin/uv ]; then
  rm -rf .uv
  "$python" -m pip install --quiet --no-warn-script-location --root-user-action ignore --no-deps --require-hashes \
    --target .uv -r requirements/uv.txt || fail "pip could not fetch uv; its message is above"
fi
uv=.uv/bin/uv

# A Python 3.10 on the PATH, one of pyenv's, or one that uv fetches.
rm -rf .venv
version=$(cat .python-version)
found=
for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null; then found=$candidate; fi
done
"$uv" venv --quiet --python "${found:-$version}" .venv 2>.uv/venv.log ||
  fail "Python $version is needed, none is here and uv could not fetch one: install it, such as by 'pyenv install $version'"

# Four packages come as source; what builds them is locked too.
"$uv" pip install --quiet --no-deps --require-hashes -r requirements/build.txt
"$uv" pip sync --quiet --no-build-isolation --require-hashes requirements/lock.txt
"$uv" pip install --quiet --no-deps --no-build-isolation --editable .
touch .venv/.ready
say "the environment is ready"
