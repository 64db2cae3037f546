#!/usr/bin/env bash
# Makes the environment .venv: uv through pip, the line that this machine can load, then exactly what is locked for it.
# Nothing is resolved, and every file is checked against its hash. LINE and PYTHON (a version or a path) choose by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'darkroom: %s\n' "$1" >&2; }
fail() { say "$1"; exit 1; }

export PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=1  # trusts what the system trusts, proxies included
unset VIRTUAL_ENV PYTHONPATH

pythons() { # the versions of Python on which a line runs, the preferred one first
  if [ "$1" = 1.21 ]; then echo 3.12 3.13 3.11; else echo 3.10; fi
}
find_python() { # prints a Python of a version, on the PATH or pyenv's
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
    "$candidate" -c "import sys; print(sys.executable); sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null && return
  done
  return 1
}

# The wheels of TFX 1.21 need glibc 2.39: Debian 13, Ubuntu 24.04. Those of TFX 1.16 load everywhere.
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p')
[ -n "$glibc" ] || fail "TFX needs a Linux with glibc, such as Debian 13 or Ubuntu 24.04"
case ${LINE:-1.21} in 1.21 | 1.16) ;; *) fail "LINE=$LINE is neither 1.21 nor 1.16" ;; esac
newer=yes
[ "$(printf '%s\n' 2.39 "$glibc" | sort -V | sed -n 1p)" = 2.39 ] || newer=
lines=${LINE:-${newer:+1.21 }1.16}
given=
if [ -n "${PYTHON:-}" ]; then
  given=$(find_python "$PYTHON" || command -v "$PYTHON") || fail "PYTHON=$PYTHON was not found"
  version=$("$given" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  case $version in 3.10) line=1.16 ;; 3.11 | 3.12 | 3.13) line=1.21 ;; *) fail "PYTHON=$PYTHON is Python $version, and TFX needs 3.10 to 3.13" ;; esac
  [ "${LINE:-$line}" = "$line" ] || fail "PYTHON=$PYTHON is Python $version, and TFX $LINE needs $(pythons "$LINE" | sed 's/ / or /g')"
  lines=$line
fi
[ -n "$newer" ] || [ "$lines" != 1.21 ] || fail "TFX 1.21 needs glibc 2.39, and this system has $glibc: use LINE=1.16, or Debian 13 or Ubuntu 24.04"

# Any Python with pip can fetch uv.
pip=
for candidate in python3 python "$given" $(for line in $lines; do for each in $(pythons "$line"); do find_python "$each" || true; done; done); do
  if "$candidate" -m pip --version >/dev/null 2>&1; then pip=$candidate && break; fi
done
[ -n "$pip" ] || fail "no Python with pip was found: install one, such as Debian's python3-pip"
if [ ! -x .uv/bin/uv ]; then
  rm -rf .uv
  "$pip" -m pip install --quiet --no-warn-script-location --root-user-action ignore --no-deps --require-hashes \
    --target .uv -r requirements/uv.txt || fail "pip could not fetch uv; its message is above"
fi
uv=.uv/bin/uv

# The first line that has a Python here, or one that uv fetches.
rm -rf .venv
: >.uv/venv.log
chosen=
for line in $lines; do
  python=$given
  for version in $(pythons "$line"); do
    [ -n "$python" ] || python=$(find_python "$version") || true
  done
  if "$uv" venv --quiet --python "${python:-$(pythons "$line" | cut -d ' ' -f 1)}" .venv 2>>.uv/venv.log; then
    chosen=$line && break
  fi
done
[ -n "$chosen" ] || fail "no Python $(pythons "${lines%% *}" | sed 's/ / or /g') is here and uv could not fetch one: install it, such as by pyenv"
version=$(.venv/bin/python -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
if [ -n "${LINE:-}${PYTHON:-}" ]; then
  why="as ${LINE:+LINE}${PYTHON:+${LINE:+ and }PYTHON} says"
elif [ "$chosen" = 1.21 ]; then
  why="the newest, for glibc 2.39 and later (here $glibc)"
else
  why="${newer:+no Python for TFX 1.21 is here and uv could not fetch one}"
  why=${why:-TFX 1.21 needs glibc 2.39 (here $glibc)}
fi
say "TFX $chosen on Python $version: $why"
say "making the environment (about 3 GB, once) ..."

# Some packages come as source; what builds them is locked too.
"$uv" pip install --quiet --no-deps --require-hashes -r requirements/build.txt
"$uv" pip sync --quiet --no-build-isolation --require-hashes "requirements/$chosen/lock.txt"
"$uv" pip install --quiet --no-deps --no-build-isolation --editable .
echo "$chosen" >.venv/line
echo "${PYTHON:-}" >.venv/python
touch .venv/.ready
say "the environment is ready"
