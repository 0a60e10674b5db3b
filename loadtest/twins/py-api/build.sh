#!/bin/sh
# Usage: build.sh FOLDER. Makes FOLDER/venv from requirements.lock, or leaves it when the lock and these scripts have
# not changed: then nothing is fetched.
set -eu
folder=$1
stamp=$(cat requirements.lock build.sh fetch_python.sh | sha256sum)
[ "$(cat "$folder/venv/stamp" 2>/dev/null || true)" = "$stamp" ] && exit 0

# The distribution's Python first: it is built with profile-guided optimisation, which one compiled by hand (pyenv)
# often is not, and which is worth a fifth to a quarter of CPython's own time. PYTHON=... overrides it.
own=
for python in ${PYTHON:-/usr/bin/python3 python3}; do
  if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    own=$python
    break
  fi
done
if [ -z "$own" ]; then
  echo "py-api: no Python 3.11 or newer with venv; install python3 and python3-venv, or name one by PYTHON=..." >&2
  exit 1
fi

# 3.11 takes a tenth more CPU a request than 3.13.
python=$own
if [ -z "${PYTHON:-}" ] && ! "$own" -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
  if ! python=$(./fetch_python.sh "$folder/python"); then
    echo "py-api: $("$own" --version) is not a current one, and Debian 13's could not be had; name one by PYTHON=..." >&2
    python=$own
  fi
fi

rm -rf "$folder/venv"
"$python" -m venv "$folder/venv"
# Wheels alone: nothing is compiled here, so each machine gets what was released.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
  -r requirements.lock
echo "$stamp" >"$folder/venv/stamp"
