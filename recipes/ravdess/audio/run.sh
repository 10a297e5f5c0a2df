#!/usr/bin/env bash
# Emotion from real acted speech (RAVDESS), trained from nothing: log-mel frames, a small encoder, six folds by actor.
#
# Examples: run.sh
#           run.sh --corpus /corpora/RAVDESS --cv emobox
set -euo pipefail

recipe=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck disable=SC2034  # read by recipe.sh
name=ravdess/audio base=audio kind=ravdess variants=log_mel
common=$recipe/../../common
# A copy (mertk new): the stages stay in the package.
[[ -f $common/recipe.sh ]] || common=$(python3 -m mertk new --where)/common
# shellcheck source=recipes/common/recipe.sh
source "$common/recipe.sh"
