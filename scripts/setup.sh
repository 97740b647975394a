#!/usr/bin/env bash
# Make the virtual environment and install everything that `make demo` and `make test` need.
#
#   scripts/setup.sh [VENV [locked|newest|oldest]]
#
# VENV defaults to .venv, and the versions to those of requirements.lock, checked by their hashes. `newest` and `oldest` are what
# pyproject.toml allows today at either end (scripts/resolve.py).
#
# Needs Python >= 3.11 and, for system packages, apt with root or sudo; where a system package cannot be installed it says
# which and goes on, because only some parts need it. Exit code 2: nothing can be done here, and the message says why.
#
#   PYTHON=python3.12      use this interpreter
#   TORCH=torch==2.13.0    the PyTorch to install, its CPU build; scripts/torch.sh tells what else this can be
#   TORCH_INDEX=URL        where to look for it when pip's own configuration does not lead to it
#   SYSTEM_PACKAGES=...    system packages to install where their program is missing, as package:program
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/torch.sh

VENV=${1:-.venv}
VERSIONS=${2:-locked}
SYSTEM_PACKAGES=${SYSTEM_PACKAGES:-bubblewrap:bwrap}
LOCK=requirements.lock
export PIP_DISABLE_PIP_VERSION_CHECK=1 DEBIAN_FRONTEND=noninteractive

exec 3>&2 # where a person reads, while a stage's own output is kept for its last line
QUIET=(-qq)
if [ -t 3 ]; then QUIET=(); fi
in_stage=

say() { printf '==> %s\n' "$*" >&3; }
stop() { printf '%ssetup: %s\n' "$in_stage" "$*" >&3; exit 2; }

# One stage, one line: what it is, then what came of it, how much larger the environment is for it, and how long it took.
# At a terminal what the stage itself shows stands between the two.
stage() {
    local title=$1 begin=$SECONDS before after made
    shift
    before=$(size_of "$VENV")
    printf '==> %s ... ' "$title" >&3
    if [ -t 3 ]; then printf '\n' >&3; else in_stage=$'\n'; fi
    made=$(mktemp)
    "$@" >"$made" || exit
    after=$(size_of "$VENV")
    if [ -t 3 ]; then printf '    ' >&3; fi
    printf '%s: %d MB in %d s\n' "$(tail -n 1 "$made")" $((after - before)) $((SECONDS - begin)) >&3
    in_stage=
    rm -f "$made"
}

size_of() { if [ -d "$1" ]; then du -sm "$1" | cut -f 1; else echo 0; fi; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        sudo "$@"
    else
        return 1
    fi
}

apt_updated=no
apt_install() {
    command -v apt-get >/dev/null || return 1
    if [ "$apt_updated" = no ]; then
        as_root apt-get update -qq </dev/null >/dev/null || return 1
        apt_updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
}

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if command -v "$candidate" >/dev/null && recent "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    stop "no Python 3.11 or newer found (looked for ${PYTHON:-python3, python3.11 to python3.14}). Install one, or name yours: make PYTHON=/path/to/python3.12"
}

make_venv() {
    local python=$1 version
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        say "installing python3-venv, which this Python lacks"
        apt_install "python$version-venv" || apt_install python3-venv ||
            stop "this Python cannot make virtual environments. Install the package python$version-venv (Debian, Ubuntu: sudo apt-get install python$version-venv) and run make again."
    fi
    rm -rf "$VENV"
    "$python" -m venv "$VENV" || stop "could not make a virtual environment in $VENV"
    "$VENV/bin/python" --version
}

pip() { "$VENV/bin/python" -m pip install "$@"; }

# uv comes with pip, by the lock's hashes, and fetches the rest: in a quarter of pip's time.
fetch_uv() {
    local wanted=$VENV/uv.txt
    sed -n '/^uv==/,/[^\\]$/p' $LOCK >"$wanted"
    pip -qq --no-deps -r "$wanted" >&3
}

# Where uv does not find its way (it is told pip's index, but not its other settings), pip goes it alone.
packages() {
    local list=$1 uv=("$VENV/bin/python" scripts/uv_as_pip.py pip install --python "$VENV/bin/python" --no-deps -r "$1")
    if [ -t 3 ]; then
        "${uv[@]}" 2>&3 && return
    else
        "${uv[@]}" --quiet 2>"$VENV/uv.log" && return
    fi
    pip "${QUIET[@]}" --no-deps -r "$list" >&3
}

fill() {
    local list=$LOCK
    fetch_uv || stop "pip could not install uv, which fetches the rest; its message is above."
    if [ "$VERSIONS" != locked ]; then
        list=$VENV/$VERSIONS.txt
        "$VENV/bin/python" scripts/resolve.py "$VERSIONS" "$list" >&3 || stop "no $VERSIONS versions could be chosen; uv's message is above."
    fi
    packages "$list" || stop "pip could not install what $list names; its message is above."
    pip -qq --no-deps --no-build-isolation -e . >&3 || stop "pip could not install mx-envs itself; its message is above."
    echo "$(grep -cE '^[A-Za-z0-9]' "$list") packages"
}

install_system_packages() {
    local pair package missing=()
    for pair in $SYSTEM_PACKAGES; do
        command -v "${pair#*:}" >/dev/null || missing+=("${pair%:*}")
    done
    [ ${#missing[@]} = 0 ] && return
    say "installing system packages: ${missing[*]}"
    apt_install "${missing[@]}" && return
    for package in "${missing[@]}"; do
        printf 'setup: could not install the system package %s; install it with your package manager (Debian, Ubuntu: sudo apt-get install %s). Without it only the Docker sandbox works.\n' "$package" "$package" >&2
    done
}

case "$VERSIONS" in locked | newest | oldest) ;; *) stop "the versions are locked, newest or oldest, not $VERSIONS" ;; esac
# An environment that is sound, and of the interpreter that was asked for where one was.
venv_stands() {
    [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || return
    [ -z "${PYTHON:-}" ] || [ "$(home_of "$VENV/bin/python")" = "$(home_of "$1")" ]
}

home_of() { "$1" -c 'import sys; print(sys.base_prefix, sys.version_info[:2])'; }

python=$(find_python)
if ! venv_stands "$python"; then
    stage "1/3 virtual environment $VENV" make_venv "$python"
fi
choose_torch
if [ "$TORCH" = none ]; then
    say "2/3 PyTorch left out, as TORCH=none says: training, the demo and Hugging Face policies need it"
else
    stage "2/3 PyTorch" install_torch
fi
if [ "$VERSIONS" = locked ]; then echo "$TORCH" >"$VENV/.torch"; fi # the ends move
stage "3/3 mx-envs and what it builds on, $VERSIONS versions" fill
install_system_packages
