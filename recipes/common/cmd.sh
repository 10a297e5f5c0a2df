# shellcheck shell=bash
# How programs are started. A site with its own way of starting several processes changes it here, for all recipes.

# launch MODULE ARGUMENT... : the words of a stage's command that run MODULE on $num_processes processes.
# shellcheck disable=SC2034,SC2154  # set and used by run.sh
launch=(mertk.bin.launch --num_processes "$num_processes")
