#!/usr/bin/env bash
# Your own corpus, with any method: from a table of files and labels to a table of results by folds.
#
#   --method NAME        foal (default), hscl, tam_ulag, audio, a baseline (late_fusion, ef_lstm, lf_dnn, tfn, lmf, mult,
#                        misa, mag_bert, mmim) or another file of recipes/common/conf; or a YAML file of your own
#   --variant NAME       small (default): log-mel frames or hand-made features of the voice and small grey pictures,
#                        trained from nothing, nothing is downloaded but, where text is used, a text encoder; frozen:
#                        features of pretrained encoders, made once; those of the method, such as paper
#   --ablation NAME      full (default): as many modalities as method and corpus have; or one of the method's
#
# Examples: run.sh --csv clips.csv
#           run.sh --csv clips.csv --method tam_ulag --variant frozen --seeds "1 2 3"
#           run.sh --data data/own/clips --method hscl --modalities "audio text"
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=own base=foal kind=own variants=small
common=$recipe/../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
