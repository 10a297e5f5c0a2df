#!/usr/bin/env bash
# Usage: compare.sh [--methods "NAME ..."] [--exp DIR] [OPTION OF THE RECIPES ...]
#
# Methods on CMU-MOSI beside each other: each trained and scored by its own recipe, with the same options and seeds, then
# one table of ours, of the published figures, and of the differences.
#
#   --methods "mult tfn" of those of mosi/baselines, and hscl and tam_ulag; all of them, when it is not given
#   --exp DIR            runs of each go to DIR/METHOD, the table to DIR (exp/mosi/comparison)
#
# All else goes to each recipe: --corpus, --data, --seeds, --jobs, --cmd slurm, settings, ... The same command again goes on
# where it was; what is done is not done again. A method that fails does not keep others from running; the table has those
# that are done. With --cmd slurm --detach the runs of all methods are submitted, and the same command later writes the table.
#
# Exit codes: as those of a recipe; 1 when a method has failed.
#
# Examples: compare.sh --corpus /corpora/MOSI/unaligned_50.pkl --seeds "1111 1112 1113 1114 1115" --jobs auto
#           compare.sh --methods "late_fusion lf_dnn" training.epochs=1
set -euo pipefail

recipes=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by compare.sh of common
others="hscl tam_ulag"
# shellcheck source=recipes/common/compare.sh
source "$recipes/../common/compare.sh"
