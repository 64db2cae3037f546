#!/usr/bin/env bash
# tests/lines/enter.sh ROOT FOLDER COMMAND...: runs a command in the copy of this checkout in a root of Debian 13, which tests/newer.sh
# made. FOLDER, if it is not empty, is there at the same path. Nothing stays mounted, and no process goes on.
set -euo pipefail
export ROOT=$1 FOLDER=$2
shift 2
# shellcheck disable=SC2016 # expanded inside
exec unshare --mount --propagation private --pid --fork --kill-child env -u PIP_FIND_LINKS -u VIRTUAL_ENV -u PYTHONPATH -u LINE -u PYTHON -u MAKEFLAGS \
  -u DARKROOM_DATASETS \
  HOME=/root PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin bash -euc '
    mount -t proc proc "$ROOT/proc"
    mount --rbind /dev "$ROOT/dev"
    [ -z "$FOLDER" ] || { mkdir -p "$ROOT$FOLDER" && mount --bind "$FOLDER" "$ROOT$FOLDER"; }
    exec chroot "$ROOT" sh -euc "cd /opt/darkroom && exec \"\$@\"" sh "$@"' bash "$@"
