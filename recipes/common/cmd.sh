# shellcheck shell=bash
# How programs are started. A site with its own way of starting several processes changes it here, for all recipes.
# recipe.sh explains the options.

# shellcheck disable=SC2034  # options of every recipe
cmd=local jobs=1 slurm= detach=no engine= offload=no trust=()
# shellcheck disable=SC2034
num_machines= machine_rank= main_process_ip= main_process_port=
options+=" cmd jobs slurm engine num_machines machine_rank main_process_ip main_process_port"
flags+=" detach offload" lists+=" trust"

# check_cmd_options : refuse what cannot be, before anything is looked at; set the array `engine_words`, the options that
# say which engine.
check_cmd_options() {
    one_of cmd local slurm
    [[ $engine != */* ]] || absolute engine
    engine_words=()
    [[ -z $engine ]] || engine_words=(--engine "$engine")
    [[ $offload == no ]] || engine_words+=(--offload)
    [[ $jobs == auto ]] || one_number_from jobs 1 1024
    if [[ $cmd == slurm ]]; then
        [[ $jobs == 1 ]] || usage_error "--jobs is for --cmd local; for Slurm give --slurm parallel=$jobs"
        [[ -z $num_machines ]] ||
            usage_error "--num_machines is for --cmd local; docs/slurm.md says how one training takes several nodes"
    else
        [[ -z $slurm && $detach == no ]] || usage_error "--slurm and --detach need --cmd slurm"
    fi
    if [[ -z $num_machines ]]; then
        [[ -z $machine_rank$main_process_ip$main_process_port ]] ||
            usage_error "--machine_rank, --main_process_ip and --main_process_port need --num_machines"
        return 0
    fi
    one_number_from num_machines 1 1024
    [[ -n $machine_rank && -n $main_process_ip ]] ||
        usage_error "--num_machines needs --machine_rank N and --main_process_ip ADDRESS"
    one_number_from machine_rank 0 $((num_machines - 1))
    [[ -z $main_process_port ]] || one_number_from main_process_port 1 65535
    [[ $jobs == 1 ]] ||
        usage_error "--jobs is for one machine; with --num_machines runs are trained one after the other"
    # shellcheck disable=SC2154  # an option of recipe.sh
    [[ $num_processes == auto ]] || ((num_processes % num_machines == 0)) ||
        usage_error "--num_processes $num_processes: cannot be shared equally by $num_machines machines"
}

# set_launching : set `here`, the number of processes on this machine, and words of the stages' commands.
#   launch       before a command that runs on several processes
#   independent  for cross-validate: how runs that depend on no other are started
#   trusting     for evaluate: whose classes models may be made of, besides mertk's own
# shellcheck disable=SC2034,SC2154  # set and read by recipe.sh
set_launching() {
    local words=() site word
    here=$num_processes
    [[ -z $num_machines || $num_processes == auto ]] || here=$((num_processes / num_machines))
    launch=(launch --num_processes "$here")
    independent=(--jobs "$jobs")
    if [[ $cmd == slurm ]]; then
        site=$recipe/conf/slurm.yaml
        [[ -f $site ]] || site=$package/conf/slurm.yaml
        read -r -a words <<<"$slurm"
        # What is no run of its own is one job: extraction of features, scoring.
        launch=(submit --folder "$exp/jobs" --slurm "$site" "${words[@]}" -- "${launch[@]}")
        independent=(--cmd slurm --slurm "$site" "${words[@]}")
        [[ $detach == no ]] || independent+=(--detach)
    fi
    independent+=("${engine_words[@]}")
    for word in num_machines machine_rank main_process_ip main_process_port; do
        [[ -z ${!word} ]] || independent+=("--$word" "${!word}")
    done
    trusting=()
    for word in "${trust[@]}"; do trusting+=(--trust "$word"); done
}
