#!/usr/bin/env bash
# The array job that slurm/submit submits: job.sh SLOTS-FILE OFFSET TIME-ASKED (s). Line OFFSET + SLURM_ARRAY_TASK_ID of the file (from 0)
# is this job's slot: STAGE, RANKS, THREADS, MEMORY, SECONDS, TASKS, AT_ONCE, DEPENDS. The file `settings` beside it holds the
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
    local line
    while IFS= read -r line; do
        [ -z "$line" ] || eval "$line" || stop 4 "this line of the profile's modules failed: $line"
    done <<<"${profile[modules]}"
    scratch=$(eval "echo \"${profile[scratch]}\"" 2>/dev/null) || scratch=''
    if [ -n "$scratch" ] && [ -d "$scratch" ]; then export TMPDIR=$scratch; fi
    [ -x "$program" ] || stop 2 "no program at $program on $(hostname): is its file system mounted there?"
    export OMP_NUM_THREADS=$threads
    unset "${!OPENBLAS_@}" # the library's own choice of kernels and threads
}

# --- staging: responses that the tasks read, copied to the node ---

# Data set and subject of each of this job's tasks, tab-separated, each pair once; from the plan's lines of words.
staged_pairs()
{
    awk -v tasks=",$tasks," '
        /^  \{"task": / { number = $2 + 0; mine = index(tasks, "," number ",") }
        mine && /^   "words": / {
            root = subjects = ""
            n = split($0, words, "\"")
            for (i = 1; i <= n; i++) {
                if (words[i] ~ /^dataset=/) root = substr(words[i], 9)
                if (words[i] ~ /^subjects?=/) subjects = substr(words[i], index(words[i], "=") + 1)
            }
            n = split(subjects, names, ",")
            for (i = 1; root != "" && i <= n; i++) if (!seen[root, names[i]]++) print root "\t" names[i]
        }' "$plan"
}

# A data set that links to the one at ROOT, but for the subject's responses, which are copied. Runs on each node.
copy_subject() # ROOT SUBJECT TARGET
{
    local responses=derivative/preprocessed_data entry
    mkdir -p "$3/$responses" || return
    for entry in "$1"/* "$1"/derivative/* "$1/$responses"/*; do
        [ -e "$3${entry#"$1"}" ] || ln -s "$entry" "$3${entry#"$1"}" || return
    done
    rm -f "$3/$responses/$2"
    mkdir -p "$3/$responses/$2" || return
    for entry in "$1/$responses/$2"/*; do
        if [ -f "$entry" ]; then cp -Lp "$entry" "$3/$responses/$2/"; else cp -P "$entry" "$3/$responses/$2/"; fi || return
    done
}

# Leaves in `plan` a plan that reads the copies. What cannot be copied is read where it is.
stage_in()
{
    local root subject target
    local -A target_of=()
    [ "${profile[stage_in]}" = responses ] || return
    if [ ! -d "$scratch" ]; then
        log "no folder ${profile[scratch]} on this node: responses are read where they are"
        return
    fi
    [ "${SLURM_NNODES:-1}" -eq 1 ] || each_node=(srun --ntasks="$SLURM_NNODES" --ntasks-per-node=1)
    staging=$scratch/braintune-$SLURM_JOB_ID
    while IFS=$'\t' read -r root subject; do
        [ -d "$root/derivative/preprocessed_data/$subject" ] || continue # made by a task of this job
        target=${target_of[$root]:-$staging/${#target_of[@]}/$(basename "$root")} # results say the data set's name
        if ! "${each_node[@]}" bash -c "$(declare -f copy_subject); copy_subject \"\$@\"" stage "$root" "$subject" "$target" </dev/null; then
            log "the responses of $subject were not copied to $scratch: they are read where they are"
            return
        fi
        target_of[$root]=$target
        log "the responses of $subject are in $target"
    done < <(staged_pairs)
    for root in "${!target_of[@]}"; do read_from "$root" "${target_of[$root]}" || return; done
}

read_from() # ROOT TARGET: the plan, with another data set
{
    local staged=$slots_folder/staged-$name.json
    awk -v from="\"dataset=$1\"" -v to="\"dataset=$2\"" '{
        while ((at = index($0, from))) $0 = substr($0, 1, at - 1) to substr($0, at + length(from))
        print
    }' "$plan" >"$staged.new" && mv "$staged.new" "$staged" && plan=$staged
}

stage_out()
{
    [ -n "$staging" ] || return
    "${each_node[@]}" rm -rf "$staging"
    rm -f "$slots_folder/staged-$name.json"
}

# --- ranks ---

# Sets the array `launch`.
choose_launcher()
{
    local options
    read -r -a options <<<"${profile[launcher_options]}"
    if [ "${profile[launcher]}" = srun ]; then
        launch=(srun --mpi=pmix --ntasks="$ranks" --cpus-per-task="$threads" --kill-on-bad-exit=1)
        [ "${profile[bind]}" = none ] || launch+=(--cpu-bind=cores)
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
pass_on() # SIGNAL
{
    told+=" $1"
    if [ -n "$child" ]; then
        log "$1: telling the ranks to save their state"
        kill -USR1 "$child" 2>/dev/null
    fi
}

# Runs the launcher and leaves its exit code in `code`; 6 when the time is up before it started.
run_tasks()
{
    local heard
    code=6
    # On a node that was lost and came back, Slurm ends the step of the earlier start only now; a new one cannot begin before.
    if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && [ "${SLURM_NNODES:-1}" -gt 1 ]; then sleep 5; fi
    [ -z "$told" ] || return
    "${launch[@]}" "$program" run "$plan" --task "$tasks" --inputs=leave &
    child=$!
    while :; do
        heard=$told
        wait "$child"
        code=$?
        [ "$told" != "$heard" ] || break # else a signal has ended the wait, not the child
    done
}

requeue_by_exit() { scontrol show config | awk '$1 == "RequeueExit" && "," $3 "," ~ /,85,/ { found = 1 } END { exit !found }'; }

# The tasks of this slot that are not done; --failed: that failed, or were begun and have no state to go on from.
unfinished() { "$program" plan "$original_plan" --slots=0 --task "$tasks" "$@" | cut -f6; }

# It had all the time that was asked for, finished no task and saved no state: once more would be the same again.
is_hopeless() { [ "$SECONDS" -gt $((time_asked - profile[signal_lead] - 90)) ] && [ "$(unfinished)" = "$left_at_start" ] && [ -n "$(unfinished --failed)" ]; }

# A job that still runs (told by USR1, or by TERM in a preemption's grace time) goes back to the queue by its own doing, and so
# does one whose time ran out. Any other end has been settled by Slurm: cancelled, it stays so; requeued, it waits already.
requeue() # WHY
{
    local state left restarts=${SLURM_RESTART_COUNT:-0}
    read -r state left < <(squeue -h -j "$SLURM_JOB_ID" -o '%T %L')
    case $state/$left in
    RUNNING/* | COMPLETING/0:00) ;;
    *) stop "$code" "$1; Slurm has cancelled or requeued this job. slurm/submit goes on from there" ;;
    esac
    is_hopeless && stop "$code" "$time_asked s are too short for task $(unfinished --failed | head -n 1), which starts anew each time: a partition with a longer limit, or more ranks (resources.$stage)"
    [ "$restarts" -lt "${profile[restarts]}" ] ||
        stop "$code" "$1, but this job was requeued $restarts times (restarts in the profile). slurm/submit goes on from there"
    if [ "$state" = RUNNING ] && requeue_by_exit; then stop 85 "$1: back to the queue by exit code 85"; fi
    log "$1: back to the queue by scontrol requeue"
    scontrol requeue "$SLURM_JOB_ID" && exit 0
    stop "$code" "Slurm refused to requeue this job. slurm/submit goes on from there"
}

# What an exit code means to someone who reads the log.
explain()
{
    case $1 in
    0) echo "done" ;;
    2) echo "settings were refused (2); the message is above" ;;
    3) echo "at least one task failed, is blocked, or lacks inputs (3); the others are done. See: braintune status $original_plan" ;;
    4) echo "a file could not be read or written (4): space, quota, permissions?" ;;
    8) echo "out of memory (8): more ranks, or a larger resources.$stage.memory" ;;
    134 | 135 | 136 | 139) echo "a rank crashed (signal $(($1 - 128))): a defect of ours" ;;
    137) echo "a rank was killed from outside (137): mostly for memory (memory_spare in the profile, resources.$stage.memory), else by a lost node or an operator" ;;
    205) echo "the connection to another node was lost (205)" ;;
    143) echo "ended by a signal (143) before its state could be saved: a longer signal_lead in the profile leaves more time" ;;
    *) echo "ended with code $1" ;;
    esac
}

slots_folder=$(dirname "$1")
told='' child='' staging='' each_node=()
trap 'pass_on USR1' USR1
trap 'pass_on TERM' TERM
# shellcheck source=/dev/null
source "$slots_folder/settings" || stop 4 "no settings beside $1"
original_plan=$plan time_asked=$3
read_slot "$@"
prepare_shell
left_at_start=$(unfinished)
stage_in
choose_launcher
run_tasks
trap '' USR1 TERM
stage_out
[ "$code" -ne 6 ] || requeue "what is finished or saved is kept"
# As Slurm does when it notices a lost node itself, but not for connections that never stood.
if [ "$code" -eq 205 ] && [ "$SECONDS" -gt 60 ]; then requeue "$(explain 205)"; fi
stop "$code" "job $name: $(explain "$code")"
