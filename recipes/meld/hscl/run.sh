#!/usr/bin/env bash
# HSCL on MELD: hierarchical structure consistency learning on decoupled text, audio and video, from the tables and clips
# to a table of results on the official test part.
#
#   --variant NAME       paper (default): padding can never change a result; released: as the published code
#                        computes, which reads padding
#   --ablation NAME      full (default), no_semantic, no_geometric, no_representation (neither margin nor
#                        orthogonality), no_margin, no_orthogonality, no_consistency (none of them), text, audio,
#                        video (one modality alone)
#
# Examples: run.sh
#           run.sh --corpus /corpora/MELD.Raw --num_processes 4
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=meld/hscl base=hscl kind=meld variants="paper released"
common=$recipe/../../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
