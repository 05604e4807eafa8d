# Sourced by slurm/submit: from the plan's slots to arrays. Reads `profile`, `program`, `plan`, `folder`, `which`.

# --- times and partitions ---

slurm_seconds() # [D-]H:M:S, D-H, D-H:M, M:S, M, UNLIMITED -> s
{
    local text=$1 days=0 parts
    case ${text,,} in unlimited | infinite) echo 2000000000 && return ;; esac
    [[ $text =~ ^([0-9]+-)?[0-9]+(:[0-9]+){0,2}$ ]] || return 1
    IFS=: read -r -a parts <<<"${text#*-}"
    if [[ $text == *-* ]]; then
        days=${text%%-*}
        parts+=(0 0)
    else
        case ${#parts[@]} in 1) parts=(0 "${parts[0]}" 0) ;; 2) parts=(0 "${parts[@]}") ;; esac
    fi
    echo $((10#$days * 86400 + 10#${parts[0]} * 3600 + 10#${parts[1]} * 60 + 10#${parts[2]}))
}

slurm_time() # s -> D-HH:MM:00, rounded up
{
    local minutes=$((($1 + 59) / 60))
    printf '%d-%02d:%02d:00' $((minutes / 1440)) $((minutes / 60 % 24)) $((minutes % 60))
}

partition_names=() partition_limits=() # s
find_partitions()
{
    local entry limit listed
    listed=${profile[partitions]}
    # The name alone of the default partition carries a star.
    [ -n "$listed" ] || listed=$(sinfo -h -o %P | sed -n 's/\*$//p' | head -n 1)
    [ -n "$listed" ] || fail 2 "profile $profile_name names no partition and Slurm has no default one"
    for entry in $listed; do
        limit=${entry#*=}
        [[ $entry == *=* ]] || limit=$(sinfo -h -p "$entry" -o %l | head -n 1)
        [ -n "$limit" ] || fail 2 "no partition ${entry%%=*} (profile $profile_name); Slurm has: $(sinfo -h -o %R | sort -u | paste -sd' ')"
        limit=$(slurm_seconds "$limit") || fail 2 "partitions of profile $profile_name: $entry: expected a time as sbatch takes it"
        [ "$limit" -gt "${profile[signal_lead]}" ] ||
            fail 2 "partition ${entry%%=*}: its limit of $limit s is not above signal_lead = ${profile[signal_lead]} s"
        partition_names+=("${entry%%=*}")
        partition_limits+=("$limit")
    done
}

longest_partition() # -> index
{
    local i longest=0
    for i in "${!partition_limits[@]}"; do
        [ "${partition_limits[$i]}" -le "${partition_limits[$longest]}" ] || longest=$i
    done
    echo "$longest"
}

# Tasks are packed up to what the longest partition can end in one go.
packed_seconds()
{
    awk -v pack="${profile[pack]}" -v limit="${partition_limits[$(longest_partition)]}" -v lead="${profile[signal_lead]}" \
        -v factor="${profile[time_factor]}" 'BEGIN {
        room = int((limit - lead - 60) / factor)
        if (room < 1) room = 1
        print pack < room ? pack : room }'
}

# --- what is queued ---

# jobs holds a line an array: JOB, STAGE, SLOTS-FILE, OFFSET, COUNT. What squeue still knows of them is not submitted again.
declare -A queued_tasks=() queued_jobs=() # by task number: 1; by stage: job ids
find_queued()
{
    local job index stage file offset
    local -A stage_of=() file_of=() offset_of=() indices_of=()
    [ -s "$folder/jobs" ] || return 0
    while IFS=$'\t' read -r job stage file offset _; do
        stage_of[$job]=$stage file_of[$job]=$file offset_of[$job]=$offset
    done <"$folder/jobs"
    while read -r job index; do
        [ -z "${stage_of[$job]:-}" ] || indices_of[$job]+=" $index"
    done < <(squeue -h -r -u "$(id -un)" -o '%F %K' | grep -E '^[0-9]+ [0-9]+$')
    for job in "${!indices_of[@]}"; do
        queued_jobs[${stage_of[$job]}]+=" $job"
        note_queued "$folder/${file_of[$job]}" "${offset_of[$job]}" "${indices_of[$job]}"
    done
}

note_queued() # SLOTS-FILE OFFSET INDICES
{
    local index lines tasks task
    mapfile -t lines <"$1"
    for index in $3; do
        IFS=$'\t' read -r _ _ _ _ _ tasks _ <<<"${lines[$2 + index]:-}"
        for task in ${tasks//,/ }; do queued_tasks[$task]=1; done
    done
}

# --- slots and groups ---

# One group for each stage, ranks, threads, in the plan's order: of it come one array or, above MaxArraySize, several.
declare -A group_of=()
group_stage=() group_ranks=() group_threads=() group_at_once=() group_depends=()
group_memory=() # MiB per rank
group_seconds=() group_lines=() group_slots=()
n_queued=0

add_slot() # STAGE RANKS THREADS MEMORY SECONDS TASKS AT_ONCE DEPENDS, without the tasks that are queued
{
    local key="$1 $2 $3" memory=$((($4 + 1048575) / 1048576 + ${profile[memory_spare]})) seconds=$5 tasks='' task g depends=${8:-}
    for task in ${6//,/ }; do
        if [ -n "${queued_tasks[$task]:-}" ]; then n_queued=$((n_queued + 1)); else tasks+=${tasks:+,}$task; fi
    done
    [ -n "$tasks" ] || return 0
    g=${group_of[$key]:-}
    if [ -z "$g" ]; then
        g=${#group_stage[@]}
        group_of[$key]=$g
        group_stage+=("$1") group_ranks+=("$2") group_threads+=("$3") group_at_once+=("$7") group_depends+=('')
        group_memory+=(0) group_seconds+=(0) group_lines+=('') group_slots+=(0)
    fi
    [ "$memory" -le "${group_memory[$g]}" ] || group_memory[$g]=$memory
    [ "$seconds" -le "${group_seconds[$g]}" ] || group_seconds[$g]=$seconds
    for task in ${depends//,/ }; do
        [[ " ${group_depends[$g]} " == *" $task "* ]] || group_depends[$g]+=" $task"
    done
    group_lines[$g]+="$1"$'\t'"$2"$'\t'"$3"$'\t'"$4"$'\t'"$5"$'\t'"$tasks"$'\t'"$7"$'\t'"$depends"$'\n'
    group_slots[$g]=$((${group_slots[$g]} + 1))
}

read_slots()
{
    local lines stage ranks threads memory seconds tasks at_once depends
    lines=$("$program" plan "$plan" --slots="$(packed_seconds)" "${which[@]}" 9>&-) || exit
    while IFS=$'\t' read -r stage ranks threads memory seconds tasks at_once depends; do
        [ -n "$stage" ] || continue
        [[ $ranks$threads$memory$at_once =~ ^[0-9]+$ && $tasks =~ ^[0-9,]+$ ]] || fail 1 "$program plan --slots: not a slot: $stage $ranks $threads $memory $seconds $tasks"
        add_slot "$stage" "$ranks" "$threads" "$memory" "${seconds%.*}" "$tasks" "$at_once" "$depends"
    done <<<"$lines"
}

# --- what sbatch is asked for ---

# Sets time_asked (s), partition, is_cut (no partition is long enough).
choose_time()
{
    local g=$1 i
    time_asked=$(awk -v s="${group_seconds[$g]}" -v f="${profile[time_factor]}" -v least="${profile[time_least]}" -v lead="${profile[signal_lead]}" \
        'BEGIN { t = s * f + lead + 60; printf "%d", t < least ? least : t }')
    is_cut=''
    for i in "${!partition_names[@]}"; do
        partition=${partition_names[$i]}
        [ "$time_asked" -gt "${partition_limits[$i]}" ] || return 0
    done
    i=$(longest_partition)
    partition=${partition_names[$i]} time_asked=${partition_limits[$i]} is_cut=1
}

# Sets limit: how many jobs of the group run at once ("" = as many as there is room for). The call's word counts before the
# experiment's, that one before the profile's.
choose_limit()
{
    limit=$throttle
    [ -n "$limit" ] || limit=${group_at_once[$1]/#0/}
    [ -n "$limit" ] || limit=${profile[throttle]/#0/}
}

# Sets nodes (0: left to Slurm), ranks_per_node.
choose_nodes()
{
    local ranks=${group_ranks[$1]} threads=${group_threads[$1]} cores=${profile[cores_per_node]}
    nodes=0 ranks_per_node=$ranks
    [ "$cores" -gt 0 ] || return 0
    [ "$threads" -le "$cores" ] ||
        fail 2 "stage ${group_stage[$1]} wants $threads threads a rank; nodes of profile $profile_name have $cores cores: lower resources.${group_stage[$1]}.threads"
    nodes=$(((ranks + cores / threads - 1) / (cores / threads)))
    ranks_per_node=$(((ranks + nodes - 1) / nodes))
}

# Sets the array `request`: sbatch's options of group G but for array and dependency.
make_request()
{
    local g=$1 stage=${group_stage[$1]} memory=${group_memory[$1]} threads=${group_threads[$1]}
    choose_time "$g"
    choose_nodes "$g"
    choose_limit "$g"
    request=(--parsable --job-name="$experiment_name.$stage" --requeue --open-mode=append
        --output="$folder/logs/$stage-%A_%a.log" --partition="$partition" --time="$(slurm_time "$time_asked")"
        --signal="B:USR1@${profile[signal_lead]}" --ntasks="${group_ranks[$g]}" --cpus-per-task="$threads")
    [ "$nodes" -eq 0 ] || request+=(--nodes="$nodes" --ntasks-per-node="$ranks_per_node")
    case ${profile[memory]} in
    mem) request+=(--mem="$((memory * ranks_per_node))M") ;;
    mem-per-cpu) request+=(--mem-per-cpu="$(((memory + threads - 1) / threads))M") ;;
    esac
    [ -z "${profile[account]}" ] || request+=(--account="${profile[account]}")
    [ -z "${profile[qos]}" ] || request+=(--qos="${profile[qos]}")
    [ -z "${profile[constraint]}" ] || request+=(--constraint="${profile[constraint]}")
    # shellcheck disable=SC2206 # options are words
    request+=(${profile[options]})
}
