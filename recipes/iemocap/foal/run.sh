#!/usr/bin/env bash
# Foal-Net on IEMOCAP: from the corpus to a table of results, by cross-validation over its five sessions.
#
#   --variant NAME       paper (default): as the paper describes it; released: as the published code computes it;
#                        interaction: the paper's, with a head that matching can learn with (docs/matching.md);
#                        small: trained from nothing, on log-mel frames and small grey pictures; nothing is downloaded
#   --ablation NAME      full (default), avel or mem (one of the two losses), baseline (neither), audio, video (one alone)
#   --modalities "NAME ..."
#                        some of audio, video, text ("audio video"); those with text are ours, not the paper's
#                        (docs/foal.md)
#
# Examples: run.sh
#           run.sh --corpus /corpora/IEMOCAP_full_release --num_processes 4 --protocol clean-refit
#           run.sh --stage 3 --stop_stage 3 --folds 1 --ablation audio training.epochs=3
#           run.sh --corpus /corpora/IEMOCAP_full_release --ablation all --protocol "clean clean-refit published"
#           run.sh --corpus /corpora/IEMOCAP_full_release --modalities "audio text" --classes six
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=iemocap/foal base=foal kind=iemocap variants="paper released interaction small"
common=$recipe/../../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
