# shellcheck shell=bash
# Where things are. Sets: root (the checkout).
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# The code of this checkout is what runs, whatever version the environment may have installed.
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=1
