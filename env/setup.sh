#!/bin/sh
# Make the virtual environment from env/requirements.lock, or say in one sentence why not: `make setup`.
#
#   PYTHON=/path/to/python   the Python to build on (else the first fit of python3.11 python3.12 python3 python)
#   VENV=folder              where to build (.venv); an environment made by other means, such as conda, is
#                            used if it holds what the lock pins, and never changed
#   --check                  build nothing; exit 0 if everything is in place, 1 if not
#
# VENV/.packages, written after the packages, says for which lock and place they were installed; VENV/.ready,
# written last, for which clone. An interrupted set-up, another lock or a moved clone thus lead to a fresh
# environment, never to a broken one.
set -eu
unset CDPATH PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX
export PIP_USER=0
cd "$(dirname "$0")/.."
ROOT=$(pwd -P)
VENV=${VENV:-.venv}
LOCK=env/requirements.lock
NEED_MB=9000 # measured: 6.9 GB when done, most of it torch, and pip's downloads while it works

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

packages_stamp() {
    printf 'place %s\nlock %s' "$(cd "$VENV" && pwd -P)" "$(cksum <"$LOCK")"
}

packages_ready() {
    [ -f "$VENV/.packages" ] && [ "$(cat "$VENV/.packages")" = "$(packages_stamp)" ] && "$VENV/bin/python" -c '' 2>/dev/null
}

all_ready() {
    packages_ready && [ -f "$VENV/.ready" ] && [ "$(cat "$VENV/.ready")" = "$ROOT" ]
}

# The version as 3.11.7; nothing where this is no Python that runs.
version_of() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        found=$(version_of "$PYTHON")
        [ -n "$found" ] || fail "PYTHON=$PYTHON is not a Python that runs; name one of version 3.11 or 3.12, for example: make setup PYTHON=python3.11"
        fits "$PYTHON" || fail "Python 3.11 or 3.12 is needed, and PYTHON=$PYTHON is $found; name a newer one, for example: make setup PYTHON=python3.11"
        return
    fi
    seen=
    for PYTHON in python3.11 python3.12 python3 python; do
        found=$(version_of "$PYTHON")
        [ -n "$found" ] || continue
        fits "$PYTHON" && return
        seen="$seen, $PYTHON is $found"
    done
    fail "Python 3.11 or 3.12 is needed and was not found${seen:+ (${seen#, })}; install it from your package manager or python.org, or name it: make setup PYTHON=/path/to/python3.11"
}

check_machine() {
    git --version >/dev/null 2>&1 || fail "git is needed and does not run here; install it (Debian, Ubuntu: sudo apt install git; macOS: xcode-select --install)"
    choose_python
    minor=${found#*.}
    minor=${minor%%.*}
    [ "$minor" -le 12 ] || echo "setup: Python $found is newer than 3.11 and 3.12, on which this is tested; going on"
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python $found ($PYTHON) cannot make virtual environments; install its venv module (Debian, Ubuntu: sudo apt install python3.$minor-venv)"
    # In an activated VENV, `python3` lies in the very folder that is about to be replaced.
    PYTHON=$("$PYTHON" -c 'import sys; print(sys._base_executable)')
    folder=$VENV
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    free=$(df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge "$NEED_MB" ] ||
        fail "$NEED_MB MB of free disk are needed for $VENV and $free MB are there; free some, or put it elsewhere: make setup VENV=/other/disk/venv"
}

# Counts what pip prints, for a person who waits; FAILED is our own word from the other end of the pipe.
show_progress() {
    count=0
    while read -r word _; do
        case $word in
        Collecting | Processing | Requirement)
            count=$((count + 1))
            if [ $((count % 30)) -eq 0 ]; then echo "  $count of $1 packages fetched"; fi
            ;;
        Installing) echo "  unpacking them, the longest step" ;;
        FAILED) return 1 ;;
        esac
    done
}

build() {
    check_machine
    rm -f "$VENV/.packages" "$VENV/.ready"
    rm -rf "$VENV"/[!.]* # .setup stays to the last: an interrupted removal must still be known for ours
    rm -rf "$VENV"
    began=$(date +%s)
    echo "setup: making $VENV with Python $found; a few minutes, most of them for torch"
    mkdir -p "$VENV" 2>/dev/null || fail "$VENV cannot be made here; check the permissions of $folder"
    : >"$VENV/.setup"
    "$PYTHON" -m venv "$VENV" || fail "Python $found ($PYTHON) could not make a virtual environment; its message is above"
    log=$VENV/setup-errors.log
    # Everything is in the lock, so pip need not resolve anything; `pip check` proves it complete.
    { "$VENV/bin/python" -m pip install --disable-pip-version-check --progress-bar off --no-deps -r "$LOCK" 2>"$log" ||
        echo FAILED; } | show_progress "$(grep -c == "$LOCK")" ||
        fail "pip could not install the packages: $(sed -n 's/^ERROR: //p' "$log" | tail -n 1) (all it said: $log); check the network, then give the same command again"
    broken=$("$VENV/bin/python" -m pip check --disable-pip-version-check 2>&1) ||
        fail "the installed packages do not fit together ($(printf '%s' "$broken" | head -n 1)); $LOCK is wrong: make lock"
    rm -f "$log"
    packages_stamp >"$VENV/.packages"
    echo "setup: $VENV is ready after $(($(date +%s) - began)) s"
}

check_foreign() {
    "$VENV/bin/python" -m pip install --quiet --dry-run --no-index --no-deps -r "$LOCK" >/dev/null 2>&1 ||
        fail "VENV=$VENV was not made by \`make setup\` and does not hold what $LOCK pins; bring it up to date (conda: conda env update -f environment.yml), or name another folder"
    packages_stamp >"$VENV/.packages"
}

if [ "${1:-}" = --check ]; then
    all_ready
    exit
fi

if ! packages_ready; then
    # Only what this script made is ever removed: VENV may be mistyped, or a conda environment.
    if [ -n "$(ls -A "$VENV" 2>/dev/null)" ] && [ ! -f "$VENV/.setup" ]; then check_foreign; else build; fi
fi
if ! all_ready; then
    # PYTHONPATH lets notebooks import `analysis` wherever the kernel is started from.
    "$VENV/bin/python" -m ipykernel install --sys-prefix --name devops-mlops-workbench \
        --display-name 'DevOps–MLOps workbench' --env PYTHONPATH "$ROOT" --env PYTHONHASHSEED 0 >"$VENV/kernel.log" 2>&1 ||
        fail "the Jupyter kernel could not be registered in $VENV: $(tail -n 1 "$VENV/kernel.log")"
    rm -f "$VENV/kernel.log"
    printf '%s' "$ROOT" >"$VENV/.ready.new"
    mv "$VENV/.ready.new" "$VENV/.ready"
fi
