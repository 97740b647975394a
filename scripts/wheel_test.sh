#!/usr/bin/env bash
# Build the wheel and use it from outside the repository, in a new environment with the core install only.
#
#   scripts/wheel_test.sh VENV       VENV has the `build` package
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=$(realpath "$1")
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT

"$VENV/bin/python" -m build --wheel --no-isolation --outdir "$outside" . >/dev/null
"$VENV/bin/python" -m venv "$outside/venv"
"$outside/venv/bin/python" -m pip install -qq "$outside"/mx_envs-*.whl
cp tests/wheel/check_wheel.py "$outside"
cd "$outside"
# Names that a user's own folder may have: they must not get in the way of ours.
mkdir agents tasks sandboxes
touch agents/__init__.py tasks/__init__.py sandboxes/__init__.py
"$outside/venv/bin/python" check_wheel.py
"$outside/venv/bin/mx" --help >/dev/null
"$outside/venv/bin/mx" doctor --quick
"$outside/venv/bin/mx" bench --methods single,split --tasks software:micro --episodes 3 --run "$outside/bench"
echo "wheel: works outside the repository with the core install"
