#!/usr/bin/env bash
# Baselines on MELD: the methods that others are compared with, each from the tables and clips to a table of results on
# the official test part. Labels are classes.
#
#   --method NAME        mult (default), misa, mag_bert, mmim, tfn, lmf, lf_dnn, ef_lstm; late_fusion: a linear map
#                        of the mean features, the floor of every table (docs/baselines.md)
#   --variant NAME       paper (default): padding can never change a result; released: as the published code
#                        computes, which reads padding; not of late_fusion
#   --ablation NAME      full (default), text, audio, video, audio_text, audio_video, video_text (these modalities
#                        alone)
#
# Examples: run.sh --method tfn
#           run.sh --method mult --corpus /corpora/MELD.Raw --seeds "1111 1112 1113 1114 1115"
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=meld/baselines base=mult kind=meld variants="paper released"
# shellcheck disable=SC2034
methods="late_fusion ef_lstm lf_dnn tfn lmf mult misa mag_bert mmim"
common=$recipe/../../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
