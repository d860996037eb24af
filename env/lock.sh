#!/bin/sh
# Pin everything that env/requirements.txt brings along, in env/requirements.lock: `make lock`.
#
# One lock for Linux and macOS, Python 3.11 and later: uv resolves for all of them at once and writes
# a marker only where they differ. Versions already in the lock stay unless requirements.txt forces
# them to move; delete the lock first to take the newest of everything.
set -eu
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
"${PYTHON:-python3.11}" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==0.13.8"

if [ -f env/requirements.lock ]; then
    cp env/requirements.lock "$scratch/requirements.lock"
fi
"$scratch/venv/bin/uv" pip compile env/requirements.txt --output-file "$scratch/requirements.lock" \
    --universal --python-version 3.11 --fork-strategy fewest \
    --annotation-style line --no-header --quiet >"$scratch/printed"

{
    echo "# Everything pinned, for Linux and macOS. Made by \`make lock\` from env/requirements.txt; do not edit."
    grep -v -e "sys_platform == 'win32'" -e "os_name == 'nt'" "$scratch/requirements.lock"
} >"$scratch/lock"
mv "$scratch/lock" env/requirements.lock
echo "env/requirements.lock: $(grep -c == env/requirements.lock) packages pinned"
