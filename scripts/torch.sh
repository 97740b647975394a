# PyTorch for scripts/setup.sh, which reads this file: the build for processors unless another is asked for.
#
# TORCH is torch==X.Y.Z (its CPU build), torch==X.Y.Z+cu128 (that build), cuda (what the package index has, which brings CUDA),
# none, or the path or address of a wheel. A plain version never gets a CUDA build, which is several gigabytes.

PINNED_TORCH=torch==2.13.0
TORCH_INDICES=https://download.pytorch.org/whl # with one index for each kind of build: cpu, cu128, ...

# What was asked for once stands for this environment until something else is; without that the pinned version moves with the project.
# Either end of what pyproject.toml allows takes the CPU build at that end where one is to be had, and the pinned one elsewhere.
choose_torch() {
    if [ -z "${TORCH:-}" ] && [ -s "$VENV/.torch" ]; then TORCH=$(<"$VENV/.torch"); fi
    if [ -z "${TORCH:-}" ] && [ "$VERSIONS" != locked ]; then TORCH=$(end_of_torch); fi
    TORCH=${TORCH:-pinned}
}

end_of_torch() {
    local least version
    least=$(sed -nE 's/.*"torch>=([0-9.]+)".*/\1/p' pyproject.toml | head -n 1)
    for version in $(offered_torch --retries 1 --timeout 15 --extra-index-url "${TORCH_INDEX:-$TORCH_INDICES/cpu}"); do
        [ "$(printf '%s\n' "$least" "$version" | sort -V | head -n 1)" = "$least" ] || continue # older than is allowed
        echo "torch==${version%+cpu}"
    done | if [ "$VERSIONS" = oldest ]; then head -n 1; else tail -n 1; fi
}

torch_version() { "$VENV/bin/python" -c 'import importlib.metadata as m; print(m.version("torch"))' 2>/dev/null || true; }

# What pip is to be asked for: an exact build.
torch_build() {
    local asked=${1/#pinned/$PINNED_TORCH} version
    version=${asked#torch==}
    case "$asked" in
    *.whl | *://*) echo "$asked" ;;
    cuda) echo "torch===${PINNED_TORCH#torch==}" ;; # exactly: == would take a CPU build for it where there is one
    *)
        [[ $version =~ ^[0-9]+(\.[0-9]+)+[a-z0-9.]*(\+[a-z0-9.]+)?$ ]] || return 1
        case "$version-$(uname -s)" in
        *+*) echo "torch==$version" ;;
        *-Linux) echo "torch==$version+cpu" ;;
        *) echo "torch==$version" ;; # elsewhere the plain build is the one for processors
        esac
        ;;
    esac
}

torch_is_there() {
    local build=$1 there
    there=$(torch_version)
    case "$build" in
    *.whl | *://*) [ -n "$there" ] && [ "$TORCH" = "$(cat "$VENV/.torch" 2>/dev/null)" ] ;;
    torch===*) [[ $there == "${build#torch===}"* && $there != *+cpu ]] ;;
    *) [ "torch==$there" = "$build" ] ;;
    esac
}

pip_torch() { pip "${QUIET[@]}" "$@" >&3; }

# The CPU build needs nothing that the lock does not have; the others bring CUDA, which no lock names. Where pip is configured to
# look comes first.
fetch_torch() {
    local build=$1 said=$2 index=${TORCH_INDEX:-$TORCH_INDICES/${1##*+}}
    case "$build" in
    *.whl | *://*) pip_torch "$build" ;;
    *+cpu)
        pip_torch --no-deps "$build" 2>"$said" && return
        pip_torch --no-deps --retries 1 --timeout 15 --extra-index-url "$index" "$build" 2>"$said"
        ;;
    *+*) pip_torch --retries 1 --timeout 15 --extra-index-url "$index" "$build" ;;
    *) pip_torch "$build" ;;
    esac
}

# The CPU builds that pip knows of, oldest first: what it lists when it is asked for one that is not there.
offered_torch() {
    PIP_CONSTRAINT=/dev/null pip --no-deps "$@" torch==0+cpu 2>&1 | grep -oE 'from versions: [^)]*' | grep -oE '[0-9][0-9a-z.]*\+cpu' | sort -V || true
}

no_cpu_torch() {
    local build=$1 said=$2 found
    found=$(offered_torch | tail -n 1)
    [ -n "$found" ] || tail -n 2 "$said" | cut -c 1-300 | sed 's/^/    /' >&3
    stop "no CPU build of PyTorch ($build) can be reached for $("$VENV/bin/python" --version) on $(uname -m). What can be done:
${found:+  make setup TORCH=torch==${found%+cpu}    the newest CPU build that pip finds here
}  make setup TORCH=none    everything but training, the demo and Hugging Face policies
  make setup TORCH=cuda    the CUDA build from the package index: about 3 GB to fetch, 7 GB on disk
  make setup PYTHON=python3.11    another Python, where builds for that one can be reached
  make setup TORCH=/path/to/torch.whl, or TORCH_INDEX=URL of an index with CPU builds (tried: ${TORCH_INDEX:-$TORCH_INDICES/cpu})"
}

install_torch() {
    local build said
    build=$(torch_build "$TORCH") ||
        stop "TORCH=$TORCH names no exact version. Say torch==X.Y.Z (its CPU build), torch==X.Y.Z+cu128 (that build), cuda (what the package index has: about 3 GB to fetch), none, or a wheel."
    if ! torch_is_there "$build"; then
        said=$VENV/torch.log
        if ! fetch_torch "$build" "$said"; then
            case "$build" in *+cpu) no_cpu_torch "$build" "$said" ;; esac
            stop "pip could not install $build; its message is above."
        fi
    fi
    torch_version
}
