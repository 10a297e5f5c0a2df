#!/usr/bin/env bash
# TAM-ULAG on CH-SIMS v2: temporal attention and automatically generated unimodal labels, from a feature file or
# recordings to a table of results on the official test part.
#
#   --variant NAME       paper (default): attention over all steps, products, trained confidence; released: as
#                        the published code computes; self_mm: Self-MM, the method it grew from, without temporal
#                        attention, products and experts
#   --ablation NAME      full (default), no_attention, no_products, no_experts, no_generated_labels, text, audio,
#                        video, text_audio, text_video, audio_video (these modalities alone)
#
# Examples: run.sh
#           run.sh --corpus /corpora/SIMS2/unaligned.pkl --seeds "1111 1112 1113 1114 1115"
#           run.sh --corpus /corpora/SIMS2_recordings --num_processes 4 --ablation text
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=sims2/tam_ulag base=tam_ulag kind=sentiment variants="paper released self_mm"
common=$recipe/../../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
