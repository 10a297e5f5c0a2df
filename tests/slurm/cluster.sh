# shellcheck shell=bash
# A Slurm of one node, this machine, for tests. Sourced; gives start_cluster and stop_cluster.
#
# It listens on its own ports, keeps its files in one folder and reads no configuration of the machine's, so that a
# Slurm that is there already is neither used nor changed. Needs root, Debian or Ubuntu, and its package archive.

# install_slurm : the daemons and munge, which proves to them who is talking.
install_slurm() {
    command -v slurmctld slurmd munged >/dev/null && return 0
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge
}

# start_cluster FOLDER : install and start the daemons, and wait until the node takes jobs. Exports SLURM_CONF.
start_cluster() {
    local folder=$1 name deadline=$((SECONDS + 60))
    cluster_daemons=()
    [[ $(id -u) == 0 ]] || { echo "a Slurm for tests must be started by root" >&2; return 1; }
    install_slurm
    mkdir -p "$folder"/{state,spool,munge}
    name=$(uname -n)
    name=${name%%.*}
    head -c 1024 /dev/urandom >"$folder/munge/key"
    chmod 0755 "$folder" "$folder/munge"
    chmod 0600 "$folder/munge/key"
    munged --foreground --force --key-file "$folder/munge/key" --socket "$folder/munge/socket" --num-threads 2 \
        --seed-file "$folder/munge/seed" --pid-file "$folder/munge/pid" >"$folder/munge/log" 2>&1 &
    cluster_daemons+=($!)
    # linuxproc finds every descendant, as cgroups do on a real cluster: a signal reaches all processes of a job.
    cat >"$folder/slurm.conf" <<CONF
ClusterName=single
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=5,bf_interval=5
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
MinJobAge=300
NodeName=$name NodeAddr=127.0.0.1 CPUs=$(getconf _NPROCESSORS_ONLN) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    export SLURM_CONF=$folder/slurm.conf
    until [[ -S $folder/munge/socket ]] || ((SECONDS > deadline)); do sleep 0.2; done
    slurmctld -D -f "$SLURM_CONF" >/dev/null 2>&1 &
    cluster_daemons+=($!)
    slurmd -D -f "$SLURM_CONF" -N "$name" >/dev/null 2>&1 &
    cluster_daemons+=($!)
    until [[ $(sinfo --noheader --format %t 2>/dev/null) == idle ]]; do
        if ((SECONDS > deadline)); then
            echo "Slurm did not come up; its logs are in $folder:" >&2
            tail -n 5 "$folder"/*.log "$folder/munge/log" >&2
            return 1
        fi
        sleep 0.5
    done
}

# stop_cluster : end the jobs, wait until they have ended, and end the daemons.
stop_cluster() {
    local deadline=$((SECONDS + 60))
    if [[ -n ${SLURM_CONF-} ]] && scancel --user root 2>/dev/null; then
        while [[ -n $(squeue --noheader 2>/dev/null) ]] && ((SECONDS < deadline)); do sleep 0.5; done
    fi
    kill "${cluster_daemons[@]}" 2>/dev/null || true
    wait "${cluster_daemons[@]}" 2>/dev/null || true
}
