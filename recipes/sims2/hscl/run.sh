#!/usr/bin/env bash
# HSCL on CH-SIMS v2: hierarchical structure consistency learning on decoupled features, from a feature file or
# recordings to a table of results on the official test part.
#
#   --variant NAME       paper (default): padding can never change a result; released: as the published code
#                        computes, which reads padding
#   --ablation NAME      full (default), no_semantic, no_geometric, no_representation (neither margin nor
#                        orthogonality), no_margin, no_orthogonality, no_consistency (none of them), text, audio,
#                        video (one modality alone)
#
# Examples: run.sh
#           run.sh --corpus /corpora/SIMS2/unaligned.pkl --seeds "1111 1112 1113 1114 1115"
#           run.sh --corpus /corpora/SIMS2_recordings --num_processes 4 --ablation text
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=sims2/hscl base=hscl kind=sentiment variants="paper released"
common=$recipe/../../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
