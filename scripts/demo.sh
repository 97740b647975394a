#!/usr/bin/env bash
# The demonstration: co-evolution on generated software tasks, in a sandbox, with a report at the end.
#
#   scripts/demo.sh VENV RUN
#
# A run in RUN that was broken off is gone on with; one that is finished is put aside as RUN-1, RUN-2, ...
# Uses Docker when an engine answers and its image is there or can be built, bubblewrap otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=$1
RUN=$2
mx="$VENV/bin/mx"

python_says() { "$VENV/bin/python" -c "$1" >/dev/null 2>&1; }

# An engine that is there but cannot be talked to is said by this.
has_image() {
    "$VENV/bin/python" -c 'import sys; from mx_sandboxes.backends.docker.images import has_image; sys.exit(not has_image("python"))'
}

sandbox=bubblewrap
if has_image; then
    sandbox=docker
elif python_says 'import docker; docker.from_env(timeout=5).ping()'; then
    if "$mx" sandbox build python; then
        sandbox=docker
    else
        echo "The sandbox image could not be built (see above): the demo uses bubblewrap instead of Docker." >&2
    fi
fi

if [ -e "$RUN/results.json" ]; then
    number=1
    while [ -e "$RUN-$number" ]; do number=$((number + 1)); done
    mv "$RUN" "$RUN-$number"
    echo "The earlier run is now $RUN-$number." >&2
fi
if [ -e "$RUN/config.yaml" ]; then
    echo "Going on with the run in $RUN, which was broken off." >&2
    "$mx" train --run "$RUN" --resume
else
    "$mx" train --preset "${PRESET:-demo}" --run "$RUN" --sandbox "$sandbox"
fi
echo "The report: file://$(realpath "$RUN")/report.html"
