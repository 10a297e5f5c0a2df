#!/usr/bin/env bash
# Baselines on IEMOCAP: the methods that others are compared with, on what Foal-Net's frozen encoders give: from the
# corpus to a table of results, by cross-validation over its five sessions. Labels are classes.
#
#   --method NAME        mult (default), misa, mag_bert, mmim, tfn, lmf, lf_dnn, ef_lstm; late_fusion: a linear map
#                        of the mean features, the floor of every table (docs/baselines.md)
#   --variant NAME       paper (default): padding can never change a result; released: as the published code
#                        computes, which reads padding; not of late_fusion
#   --modalities "NAME ..."
#                        some of audio, video, text: "audio video" as Foal-Net (default), but mag_bert, which cannot do
#                        without text, takes all
#
# Examples: run.sh --method tfn
#           run.sh --method mult --corpus /corpora/IEMOCAP_full_release --seeds "1111 1112 1113 1114 1115"
#           run.sh --method misa --corpus /corpora/IEMOCAP_full_release --modalities "audio text" --classes six
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=iemocap/baselines base=mult kind=iemocap variants="paper released"
# shellcheck disable=SC2034
methods="late_fusion ef_lstm lf_dnn tfn lmf mult misa mag_bert mmim"
common=$recipe/../../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
