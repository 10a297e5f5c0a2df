#!/usr/bin/env bash
# TAM-ULAG on MELD: temporal attention and products of modalities over text, audio and video, from the tables and clips
# to a table of results on the official test part. Labels are classes, so that none of single modalities are generated.
#
#   --variant NAME       paper (default): attention over all steps, products; released: as the published code computes
#   --ablation NAME      full (default), no_attention, no_products, text, audio, video, text_audio, text_video,
#                        audio_video (these modalities alone); no_experts and no_generated_labels are full here
#
# Examples: run.sh
#           run.sh --corpus /corpora/MELD.Raw --num_processes 4 --seeds "1111 1112 1113 1114 1115"
#           run.sh --corpus /corpora/MELD.Raw --labels sentiment --ablation text
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=meld/tam_ulag base=tam_ulag kind=meld variants="paper released"
common=$recipe/../../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
