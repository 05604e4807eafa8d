#!/usr/bin/env bash
# The array job that slurm/submit submits: job.sh SLOTS-FILE OFFSET. Line OFFSET + SLURM_ARRAY_TASK_ID of the file (from 0)
# is this job's slot: STAGE, RANKS, THREADS, MEMORY, SECONDS, TASKS, DEPENDS. The file `settings` beside it holds the
# profile, the plan and the program as they were at submission; nothing else is read, so that the job does not depend on
# what becomes of the folder it was submitted from.
#
# Told that its time is up (USR1 before the limit or at preemption, TERM at the end), the job has the ranks save their state:
# they end with 6, and the job goes back to the queue, by ending with 85 where the cluster's RequeueExit has it, else by
# `scontrol requeue`. Its log goes on in the same file.
set -uo pipefail

log() { echo "[$(date '+%F %T')] $*" >&2; }
stop() { # CODE MESSAGE
    log "$2"
    exit "$1"
}

read_slot() # SLOTS-FILE OFFSET
{
    local number=$(($2 + ${SLURM_ARRAY_TASK_ID:?this is an array job: slurm/submit submits it}))
    IFS=$'\t' read -r stage ranks threads _ _ tasks _ < <(sed -n "$((number + 1))p" "$1")
    [ -n "${tasks:-}" ] || stop 4 "$1 has no slot $number"
    name=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
    log "job $name on ${SLURM_JOB_NODELIST:-?}, start $((${SLURM_RESTART_COUNT:-0} + 1)): $stage, tasks $tasks on $ranks ranks of $threads threads"
}

prepare_shell()
{
    local line folder
    while IFS= read -r line; do
        [ -z "$line" ] || eval "$line" || stop 4 "this line of the profile's modules failed: $line"
    done <<<"${profile[modules]}"
    folder=$(eval "echo \"${profile[scratch]}\"" 2>/dev/null) || folder=''
    if [ -n "$folder" ] && [ -d "$folder" ]; then export TMPDIR=$folder; fi
    [ -x "$program" ] || stop 2 "no program at $program on $(hostname): is its file system mounted there?"
    export OMP_NUM_THREADS=$threads
    unset "${!OPENBLAS_@}" # the library's own choice of kernels and threads
}

# Sets the array `launch`.
choose_launcher()
{
    local options
    read -r -a options <<<"${profile[launcher_options]}"
    if [ "${profile[launcher]}" = srun ]; then
        launch=(srun --mpi=pmix --ntasks="$ranks" --cpus-per-task="$threads" --kill-on-bad-exit=1)
        [ "${profile[bind]}" = none ] && launch+=(--cpu-bind=none) || launch+=(--cpu-bind=cores)
    else
        # A connection that is cut ends the job within seconds instead of never. TERM, which Slurm sends to every process, is
        # kept from mpirun and its daemons (coreutils 8.31), which would give their ranks one second to save.
        launch=(mpirun --quiet -n "$ranks" --mca oob_tcp_keepalive_time 2 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 2)
        [ "${profile[bind]}" = none ] && launch+=(--bind-to none) || launch+=(--map-by "slot:PE=$threads" --bind-to core)
        if env --block-signal=TERM true 2>/dev/null; then
            launch=(env --block-signal=TERM "${launch[@]}" --mca orte_launch_agent "env --block-signal=TERM orted")
        fi
    fi
    launch+=("${options[@]}")
}

# Both signals become USR1: mpirun answers TERM by ending its ranks, while it and srun hand USR1 on to them.
told=''
pass_on() # SIGNAL
{
    told=$1
    log "$1: telling the ranks to save their state"
    kill -USR1 "$child" 2>/dev/null
}

# Runs the launcher and leaves its exit code in `code`.
run_tasks()
{
    local seen
    "${launch[@]}" "$program" run "$plan" --task "$tasks" &
    child=$!
    trap 'pass_on USR1' USR1
    trap 'pass_on TERM' TERM
    while :; do
        seen=$told told=''
        wait "$child"
        code=$?
        if [ -z "$told" ]; then told=$seen && break; fi
    done
    trap '' USR1 TERM
}

requeue_by_exit() { scontrol show config | awk '$1 == "RequeueExit" { print "," $3 "," }' | grep -q ',85,'; }

# The ranks have saved their state. A job that still runs (told by USR1, or by TERM in a preemption's grace time) goes back to
# the queue by its own doing, and so does one whose time ran out. Any other end has been settled by Slurm: cancelled, it stays
# so; requeued from outside, it waits already.
requeue()
{
    local state left restarts=${SLURM_RESTART_COUNT:-0}
    read -r state left < <(squeue -h -j "$SLURM_JOB_ID" -o '%T %L')
    case $state/$left in
    RUNNING/* | COMPLETING/0:00) ;;
    *) stop 6 "state saved; Slurm has cancelled or requeued this job. slurm/submit goes on from there" ;;
    esac
    [ "$restarts" -lt "${profile[restarts]}" ] ||
        stop 6 "state saved, but this job was requeued $restarts times (restarts in the profile). slurm/submit goes on from there"
    if [ "$state" = RUNNING ] && requeue_by_exit; then stop 85 "state saved: back to the queue by exit code 85"; fi
    log "state saved: back to the queue by scontrol requeue"
    scontrol requeue "$SLURM_JOB_ID" && exit 0
    stop 6 "Slurm refused to requeue this job. slurm/submit goes on from there"
}

# What an exit code means to someone who reads the log.
explain()
{
    case $1 in
    0) echo "done" ;;
    2) echo "settings were refused (2); the message is above" ;;
    3) echo "at least one task failed or is blocked (3); the others are done. See: braintune status $plan" ;;
    4) echo "a file could not be read or written (4): space, quota, permissions?" ;;
    8) echo "out of memory (8): more ranks, or a larger resources.$stage.memory" ;;
    134 | 135 | 136 | 139) echo "a rank crashed (signal $(($1 - 128))): a defect of ours" ;;
    137) echo "a rank was killed from outside (137): mostly for memory (memory_spare in the profile, resources.$stage.memory), else by a lost node or an operator" ;;
    143) echo "ended by a signal (143) before its state could be saved: a longer signal_lead in the profile leaves more time" ;;
    *) echo "ended with code $1" ;;
    esac
}

# shellcheck source=/dev/null
source "$(dirname "$1")/settings" || stop 4 "no settings beside $1"
read_slot "$@"
prepare_shell
choose_launcher
run_tasks
[ "$code" -ne 6 ] || requeue
stop "$code" "job $name: $(explain "$code")"
