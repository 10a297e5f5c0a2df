#!/usr/bin/env bash
# Foal-Net on RAVDESS, sound and picture of acted speech: from the corpus to a table of results, by folds of actors.
#
#   --variant NAME       paper (default): as the paper describes it; released: as the published code computes it;
#                        interaction: the paper's, with a head that matching can learn with (docs/matching.md);
#                        small: trained from nothing, on log-mel frames and small grey pictures; nothing is downloaded
#   --ablation NAME      full (default), avel or mem (one of the two losses), baseline (neither), audio, video (one alone)
#
# Examples: run.sh
#           run.sh --corpus /corpora/RAVDESS --cv hicmae --num_processes 4
#           run.sh --corpus /corpora/RAVDESS --variant small --ablation audio --folds 1
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=ravdess/foal base=foal kind=ravdess variants="paper released interaction small"
common=$recipe/../../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
