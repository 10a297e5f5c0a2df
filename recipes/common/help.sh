# shellcheck shell=bash
# The help of a recipe: what run.sh says of itself at its head, the options of its corpus, those of all.

# without_corpus [WHAT] : how the help of a corpus begins that has a miniature; WHAT is written then, a corpus or a file.
without_corpus() {
    cat <<EOF
Without --corpus, a miniature ${1:-corpus} is written and used; its figures only show that everything works. A data
directory that is there already (--data) says itself what it is made of.
EOF
}

# print_help : in the place of that of parse_options.sh.
# shellcheck disable=SC2154  # set by run.sh and recipe.sh
print_help() {
    local head
    head=$(head_comment)
    cat <<EOF
Usage: ${0##*/} [--OPTION VALUE ...] [setting=value ...]

${head%%$'\n\n'Example*}

$(corpus_help)
$(audio_help && video_help)
  --stage N            first stage to run (0)
  --stop_stage N       last stage to run (5)
  --data DIR           manifests and features go there (data/$corpus_name... of the checkout, or beside a copy)
  --exp DIR            runs and results go there (exp/$corpus_name/$method.../VARIANT; ablation and settings in the name)
  --num_processes N    processes of training, scoring and feature extraction; auto: one for each GPU, else one
  --cmd local|slurm    extract, train and score on this machine (default), or as jobs of Slurm (docs/slurm.md)
  --jobs N|auto        local: runs at once (1), each on its share of the GPUs; auto: as many as the GPUs allow
  --slurm "WORD ..."   options of sbatch for each run ("partition=gpu time=8:00:00"), or a YAML file of them; they win
                       over conf/slurm.yaml beside run.sh, or mertk/conf/slurm.yaml
  --detach             slurm: submit and do not wait; the same command without it waits and goes on
  --engine NAME|YAML   how training uses several processes: single, ddp, fsdp2, deepspeed_zero2, deepspeed_zero3, or a
                       file of Accelerate (docs/engines.md); as the number of processes needs, when it is not given
  --offload            of DeepSpeed: optimizer state, with ZeRO-3 weights too, in CPU memory
  --num_machines N     machines that train together: the same command on each, with --main_process_ip ADDRESS,
                       --machine_rank N and, where 29500 is taken, --main_process_port PORT; --num_processes counts all
  --trust MODULE       module of your own, whose classes the model is made of; may be given several times
  --max_lost SHARE     share of the utterances that may be lost to missing or damaged files (0.01)
  --config FILE        settings of your own, a YAML file over the recipe's and under those of --ablation; may be given
                       several times, later ones win
  setting=value        any key of the configuration (conf/$base.yaml), training.epochs=10, say; comes last and wins
  --help               this text

--protocol, and --ablation where there are any, take several names, or all: one after the other, then one table.

Stages: 0 environment and corpus, 1 manifests (and features that came in a file), 2 features, 3 train, 4 evaluate,
5 results. A stage that was done is skipped unless its options or what it reads have changed.
Exit codes: 0 done, 1 failed, 2 wrong usage, 75 stopped or submitted: the same command goes on, 130 interrupted.

Example${head#*Example}
EOF
}
