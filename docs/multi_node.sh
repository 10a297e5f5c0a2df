#!/usr/bin/env bash
# One training on several nodes, as a job of Slurm; every run that fits one node is better submitted by a recipe's
# `run.sh --cmd slurm`. What stands here as #SBATCH can be given on the command line as well, and wins there.
#
# Usage: sbatch [--nodes=N] [--gpus-per-node=N] ... docs/multi_node.sh --config YAML... -- key=value...
#        (the arguments of mertk train; run it from the checkout, with the environment active)
#
# Environment: MERTK_ENGINE: ddp (default), fsdp2, deepspeed_zero2 ... (docs/engines.md says when to take which).
#
# Example: sbatch --nodes=4 --partition=gpu docs/multi_node.sh --config recipes/common/conf/foal.yaml -- \
#              data.directory=data/iemocap data.train=data/iemocap/folds/session-clean/1/train.ids \
#              data.validation=data/iemocap/folds/session-clean/1/validation.ids run.output_dir=exp/four_nodes
#SBATCH --job-name=mertk
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=mertk_%j.log
# Five minutes before the limit (which must be much longer) all processes are told: they finish the step, save and end
# with exit code 75.
#SBATCH --signal=USR1@300
set -euo pipefail

mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
# SLURM_GPUS_ON_NODE is absent without GPUs: then one process a node.
processes_per_node=${SLURM_GPUS_ON_NODE:-1}
num_processes=$((${#hosts[@]} * processes_per_node))
# Two jobs that share a node need ports of their own.
port=$((20000 + SLURM_JOB_ID % 20000))
# Since Slurm 22.05 srun does not take the number of cores from its job.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}

arguments=(--engine "${MERTK_ENGINE:-ddp}" --num_processes "$num_processes" --num_machines "${#hosts[@]}"
    --main_process_ip "${hosts[0]}" --main_process_port "$port")
printf '%s: %d processes on %s, the first is %s:%d\n' \
    "$(date '+%F %T')" "$num_processes" "${hosts[*]}" "${hosts[0]}" "$port"

# One launcher a node. Which node it is on, only the started task knows.
code=0
# shellcheck disable=SC2016  # expanded by the tasks
srun --kill-on-bad-exit=0 bash -c 'exec python -m mertk launch --machine_rank "$SLURM_NODEID" "$@"' launch \
    "${arguments[@]}" train --resume "$@" || code=$?

# Told to stop before its end: back into the queue; the same job goes on from the last checkpoint.
if ((code == 75)); then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
