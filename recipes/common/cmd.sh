# shellcheck shell=bash
# How programs are started. A site with its own way of starting several processes changes it here, for all recipes.
#
# Options of every recipe, beside its own:
#   --cmd local|slurm    where features are made and models trained and scored: on this machine (default), or as jobs of
#                        Slurm (docs/slurm.md)
#   --jobs N|auto        local: runs at once (1), each on its share of the GPUs; auto: as many as the GPUs allow
#   --slurm "WORD ..."   options of sbatch for each run, such as "partition=gpu time=8:00:00", or a YAML file of them;
#                        they win over conf/slurm.yaml
#   --detach             submit and do not wait; the same command without it waits and goes on with the next stage
#   --engine NAME|YAML   how training uses several processes (docs/engines.md): a file of conf/accelerate by its name, or
#                        another; as the number of processes needs, when it is not given
#   --trust MODULE       module of your own, whose classes the models to score are made of; may be given several times

# shellcheck disable=SC2154  # options, from init.sh
one_of cmd local slurm
[[ $engine != */* ]] || absolute engine
[[ $jobs == auto ]] || one_number_from jobs 1 1024

# launch MODULE ARGUMENT... : the words of a stage's command that run MODULE on $num_processes processes.
# shellcheck disable=SC2034,SC2154  # set and used by run.sh
launch=(mertk.bin.launch --num_processes "$num_processes")

# Words for mertk.bin.cross_validate: how runs that depend on no other are started.
if [[ $cmd == slurm ]]; then
    [[ $jobs == 1 ]] || usage_error "--jobs is for --cmd local; for Slurm give --slurm parallel=$jobs"
    read -r -a slurm_words <<<"$slurm"
    # What is no run of its own is one job: extraction of features, scoring.
    # shellcheck disable=SC2154  # exp is set by run.sh
    launch=(mertk.bin.submit --folder "$exp/jobs" --slurm "$root/conf/slurm.yaml" "${slurm_words[@]}" -- "${launch[@]}")
    independent=(--cmd slurm --slurm "$root/conf/slurm.yaml" "${slurm_words[@]}")
    [[ $detach == no ]] || independent+=(--detach)
else
    [[ -z $slurm && $detach == no ]] || usage_error "--slurm and --detach need --cmd slurm"
    independent=(--jobs "$jobs")
fi
[[ -z $engine ]] || independent+=(--engine "$engine")
# Words for mertk.bin.evaluate: whose classes models may be made of, besides mertk's own.
trusting=()
for module in "${trust[@]}"; do trusting+=(--trust "$module"); done
