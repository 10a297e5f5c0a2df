# shellcheck shell=bash
# Where things are. Sets: root (the folder that holds recipes/ and data_prep/), checkout (yes where that is a checkout, no
# where it is the installed package), package (the folder of mertk itself).
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
checkout=no package=$root
if [[ -f $root/setup.cfg ]]; then
    # shellcheck disable=SC2034  # read by recipes
    checkout=yes package=$root/mertk
    # The code of this checkout is what runs, whatever version the environment may have installed.
    export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
fi
export PYTHONUNBUFFERED=1
