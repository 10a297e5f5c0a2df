#!/usr/bin/env bash
# HSCL on CH-SIMS: hierarchical structure consistency learning on decoupled features, from a feature file or
# recordings to a table of results on the official test part.
#
# Usage: run.sh [--corpus FILE|DIR] [--stage N] [--stop_stage N] [--data DIR] [--exp DIR] [--protocol clean|clean-refit]
#               [--variant paper|released] [--features unaligned|aligned] [--ablation NAME] [--seeds "1111"]
#               [--bert WEIGHTS] [--clip WEIGHTS] [--num_processes N|auto] [--cmd local|slurm]
#               [--jobs N|auto] [--slurm "WORD ..."] [--detach] [--engine NAME|YAML] [--trust MODULE]
#               [--max_lost SHARE] [--bad_length refuse|drop] [--max_contradicting SHARE] [--max_tokens N]
#               [--labels CSV] [--config FILE] [--folds 1] [--cv official] [--help] [setting=value ...]
#
# Without --corpus, a miniature feature file is written and used; its figures only show that everything works. A data
# directory that is there already (--data) says itself what it is made of. What a run does not need is not asked for:
# --ablation text takes recordings' label.csv alone, and no CLIP.
#
#   --corpus FILE        feature file as the field shares it (SIMS/unaligned_39.pkl, say)
#   --corpus DIR         recordings: label.csv and Raw/VIDEO/CLIP.mp4; features are made here
#   --stage N            first stage to run (0)
#   --stop_stage N       last stage to run (5)
#   --data DIR           manifests and features go there (data/sims... of the checkout)
#   --exp DIR            runs and results go there (exp/sims/hscl.../VARIANT; ablation and settings in the name)
#   --protocol NAME      clean: epoch chosen on the validation part, as the published code does (default); clean-refit:
#                        as many steps as clean chose, on training and validation part together
#   --variant NAME       paper (default): padding can never change a result; released: as the published code
#                        computes, which reads padding
#   --features KIND      unaligned (default) or aligned: which file --corpus is; they have settings of their own
#   --ablation NAME      full (default), no_semantic, no_geometric, no_representation (neither margin nor
#                        orthogonality), no_margin, no_orthogonality, no_consistency (none of them), text, audio,
#                        video (one modality alone)
#   --seeds "1111 1112"  a run with each of them (1111); published figures are means of five, 1111 to 1115
#   --bert WEIGHTS       text encoder, hub id or folder (google-bert/bert-base-chinese)
#   --clip WEIGHTS       CLIP model for the video features of recordings (openai/clip-vit-large-patch14)
#   --num_processes N    processes of training, scoring and feature extraction; auto: one for each GPU, else one
#   --cmd local|slurm    extract, train and score on this machine (default), or as jobs of Slurm (docs/slurm.md)
#   --jobs N|auto        local: runs at once (1), each on its share of the GPUs; auto: as many as the GPUs allow
#   --slurm "WORD ..."   options of sbatch for each run ("partition=gpu time=8:00:00"), or a YAML file of them
#   --detach             slurm: submit and do not wait; the same command without it waits and goes on
#   --engine NAME|YAML   how training uses several processes (docs/engines.md)
#   --trust MODULE       module of your own, whose classes the model is made of; may be given several times
#   --max_lost SHARE     share of the utterances that may be lost to missing or damaged files (0.01)
#   --bad_length KIND    of a feature file, utterances with a length of 0 or a broken one: refuse (default), drop
#   --max_contradicting SHARE
#                        of a feature file, share of the utterances that may contradict themselves (0.2)
#   --max_tokens N       of recordings, most tokens of a text (50)
#   --labels CSV         of recordings, the table of labels (label.csv of the corpus)
#   --config FILE        settings of your own, a YAML file over the recipe's and under those of --ablation; may be given
#                        several times, later ones win
#   --folds 1, --cv official
#                        the corpus has one official split; here for the sake of scripts that name them
#   setting=value        any key of the configuration (conf/hscl.yaml), training.epochs=10, say; comes last and wins
#
# Stages: 0 environment and corpus, 1 manifests (and features, of a feature file), 2 features of recordings, 3 train,
# 4 evaluate, 5 results. A stage that was done is skipped unless its options or what it reads have changed.
# Exit codes: 0 done, 1 failed, 2 wrong usage, 75 stopped or submitted: the same command goes on, 130 interrupted.
#
# Examples: run.sh
#           run.sh --corpus /corpora/SIMS/unaligned_39.pkl --seeds "1111 1112 1113 1114 1115"
#           run.sh --corpus /corpora/SIMS_recordings --num_processes 4 --ablation text
set -euo pipefail

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034  # read by sentiment.sh
corpus_name=sims method=hscl variants="paper released"
# shellcheck source=recipes/common/sentiment.sh
source "$recipe/../../common/sentiment.sh"
