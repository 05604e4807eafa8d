# Sourced by the tests that need a cluster: a Slurm of one machine, private, started by root without systemd.
# cluster_start FOLDER [name=value ...] (a new folder, emptied) starts it and exports what its clients need; cluster_stop FOLDER ends every
# process of it. Whatever becomes of the shell that started it (kill -9 included), a guard ends the cluster at once.
#
# Names: requeue_exit (codes after which Slurm requeues by itself; none = nothing), max_array_size, grace (s that a
# preempted job keeps), nodes (slurmds on this machine), cpus (per node, whatever the machine has).

# Where node I lives; a test with several hosts says otherwise.
cluster_host() { hostname -s; }           # I
cluster_address() { echo 127.0.0.1; }     # I
cluster_on() { shift && "$@"; }           # I COMMAND...: node 0 also has the controller

# Free ports below the range that outgoing connections are given.
cluster_port()
{
    local port
    for _ in $(seq 100); do
        port=$((20000 + RANDOM % 10000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return 0
        fi
    done
    echo "no free port in 20000 .. 29999" >&2
    return 1
}

cluster_configure() # FOLDER; reads the options of cluster_start
{
    local folder=$1 host memory node
    host=$(hostname -s)
    memory=$(awk '/^MemTotal/ { printf "%d", $2 * 0.9 / 1024 }' /proc/meminfo)
    echo "CgroupPlugin=cgroup/v1" >"$folder/etc/cgroup.conf" # the other one wants a file system at /sys/fs/cgroup
    {
        cat <<END
ClusterName=test
MailProg=/bin/true
SlurmctldHost=$(cluster_host 0)($(cluster_address 0))
SlurmctldPort=$(cluster_port)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
TmpFS=$folder/tmp/%n
SlurmctldPidFile=$folder/pid/slurmctld
SlurmctldLogFile=$folder/log/slurmctld
SlurmdPidFile=$folder/pid/slurmd.%n
SlurmdLogFile=$folder/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,bf_interval=2,sched_interval=2
ReturnToService=2
JobRequeue=1
${requeue_exit:+RequeueExit=$requeue_exit}
MaxArraySize=$max_array_size
KillWait=16
MinJobAge=600
SlurmdTimeout=10
MpiDefault=none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
END
        for ((i = 0; i < nodes; i++)); do
            node=node$i
            mkdir -p "$folder"/{spool,tmp}/"$node"
            echo "NodeName=$node NodeHostname=$(cluster_host "$i") NodeAddr=$(cluster_address "$i") Port=$(cluster_port)" \
                "Sockets=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=$memory"
        done
        echo "PartitionName=batch Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=$grace MaxTime=60 State=UP"
        echo "PartitionName=short Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE GraceTime=$grace MaxTime=1 State=UP"
        echo "PartitionName=urgent Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=60 State=UP"
    } >"$folder/etc/slurm.conf"
}

# Every process of the cluster: daemons and what jobs started, told by the variable that they inherit; steps, which write
# over theirs, by the files they hold open.
cluster_processes() # FOLDER
{
    local pid state
    {
        grep -lzxF "BRAINTUNE_TEST_CLUSTER=$1" /proc/[0-9]*/environ | cut -d/ -f3 || true # processes come and go
        for pid in $(pgrep -x slurmstepd); do find "/proc/$pid/fd" -lname "$1/log/*" -printf "$pid\n" -quit || true; done
    } 2>/dev/null | while read -r pid; do
        if [ "$pid" -eq "$BASHPID" ] || [ "$pid" -eq $$ ]; then continue; fi
        state=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) || continue
        case $state in Z* | X* | "") ;; *) echo "$pid" ;; esac
    done
}

cluster_stop() # FOLDER
{
    local folder=$1 signal left
    for signal in TERM KILL KILL; do
        for _ in $(seq 15); do
            mapfile -t left < <(cluster_processes "$folder")
            [ ${#left[@]} -eq 0 ] && return 0
            kill -"$signal" "${left[@]}" 2>/dev/null || true
            sleep 0.1
        done
    done
    echo "processes of the cluster that do not end: ${left[*]}" >&2
    return 1
}

# Ends the cluster when the shell PID is gone. Outside of the cluster's own processes, in a session of its own.
cluster_guard() # FOLDER PID
{
    env -u BRAINTUNE_TEST_CLUSTER setsid bash -c '
        source "$1"
        while [ -e "/proc/$3/stat" ] && ! grep -q ") [ZX]" "/proc/$3/stat"; do sleep 0.5; done
        cluster_stop "$2"' guard "${BASH_SOURCE[0]}" "$1" "$2" </dev/null >/dev/null 2>&1 &
    disown
}

cluster_try() # FOLDER
{
    local folder=$1 i
    cluster_configure "$folder" || return 1
    munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/pid/munged" \
        --log-file="$folder/log/munged" --seed-file="$folder/munge/seed" || return 1
    cluster_on 0 slurmctld -f "$SLURM_CONF" || return 1
    for ((i = 0; i < nodes; i++)); do cluster_on "$i" slurmd -f "$SLURM_CONF" -N "node$i" || return 1; done
    for _ in $(seq 100); do
        [ "$(cluster_on 0 timeout 5 sinfo -h -p batch -t idle -o %D 2>/dev/null)" = "$nodes" ] && return 0
        sleep 0.1
    done
    return 1
}

cluster_start() # FOLDER [name=value ...]
{
    local folder=$1 requeue_exit=85 max_array_size=1001 grace=20 nodes=1 cpus=2 try
    shift
    [ $# -eq 0 ] || local "$@"
    export BRAINTUNE_TEST_CLUSTER=$folder SLURM_CONF=$folder/etc/slurm.conf
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
    for try in 1 2 3; do # another program may take a port between the look and the start
        rm -rf "$folder"
        mkdir -p "$folder"/{etc,munge,pid,log,state,spool,tmp}
        chmod -R go-w "$folder"             # munged refuses what a group may write to,
        chmod a+x "$(dirname "$folder")"    # and what others cannot pass through
        (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key" && chmod 400 "$folder/munge/key")
        [ "$try" -gt 1 ] || cluster_guard "$folder" $$
        cluster_try "$folder" 2>"$folder/log/start" && return 0
        cluster_stop "$folder"
    done
    tail -n 20 "$folder"/log/* >&2
    echo "the test cluster does not start" >&2
    return 1
}
