#!/usr/bin/env bash
# Usage: compare.sh [--methods "NAME ..."] [--exp DIR] [OPTION OF THE RECIPES ...]
#
# Methods on IEMOCAP beside each other: each trained and scored by its own recipe, with the same options, folds and seeds,
# then one table of ours, of the published figures, and of the differences.
#
#   --methods "foal tfn" foal, and those of iemocap/baselines; all of them, when it is not given
#   --exp DIR            runs of each go to DIR/METHOD, the table to DIR (exp/iemocap/comparison)
#
# All else goes to each recipe: --corpus, --data, --seeds, --modalities, --classes, --protocol, --jobs, --cmd slurm, ... Baselines
# hear the layers of a frozen speech encoder; with --audio frozen Foal-Net does so, too, else it trains the encoder. mag_bert
# takes text beside sound and picture, others where --modalities has it. The same command again goes on where it was; what
# is done is not done again. A method that fails does not keep others from running; the table has those that are done.
# With --cmd slurm --detach the runs of all methods are submitted, and the same command later writes the table.
#
# Exit codes: as those of a recipe; 1 when a method has failed.
#
# Examples: compare.sh --corpus /corpora/IEMOCAP_full_release --audio frozen --seeds "1111 1112 1113 1114 1115" --jobs auto
#           compare.sh --methods "late_fusion foal" --folds 1 training.epochs=1
set -euo pipefail

recipes=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by compare.sh of common
others="foal"
# shellcheck source=recipes/common/compare.sh
source "$recipes/../common/compare.sh"
