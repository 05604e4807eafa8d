# Sourced by slurm/submit: a site's profile, a file of lines "key = value" (slurm/profiles/*.conf).
# profile_read NAME|FILE fills the associative array `profile`; what it may hold stands in one table, which also checks,
# gives defaults and is printed by `slurm/submit --keys`.
#
# Values are taken literally: no quotes are needed. Only `scratch` and `modules` are seen by a shell, that of the job.

profile_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/profiles" && pwd)

# key | kind | default | meaning. Kinds: text, lines (may come several times), count, number, or the words of a choice.
profile_table=(
    "account|text||sbatch --account"
    "partitions|text||NAME or NAME=TIME-LIMIT, shortest first; a limit that is not given is asked from sinfo; none: the default partition"
    "qos|text||sbatch --qos"
    "constraint|text||sbatch --constraint"
    "options|text||further options of sbatch, as they are"
    "cores_per_node|count|0|cores that a node offers; 0 leaves the number of nodes to Slurm"
    "memory|mem mem-per-cpu none|none|how memory is asked for: per node (needs cores_per_node), per core, or not at all"
    "memory_spare|count|0|MiB a rank beyond what the plan says"
    "modules|lines||a line of shell that prepares a job, for example: module load openmpi/4.1"
    "launcher|mpirun srun|mpirun|what starts the ranks"
    "launcher_options|text||further options of the launcher; later ones win"
    "bind|core none|core|whether each rank is bound to its cores; none where nodes are shared and jobs are not confined to theirs"
    "scratch|text||folder of the node for temporary files, for example \$TMPDIR; taken where it exists"
    "stage_in|none responses|none|responses: a job copies those of its subjects to scratch first and reads them there"
    "signal_lead|count|300|seconds before the time limit at which a job saves its state and requeues; Slurm may be 60 s early"
    "pack|count|1800|seconds of estimated work up to which short tasks share one job"
    "time_factor|number|1.5|time asked for, as a multiple of the plan's estimate"
    "time_least|count|600|seconds asked for at least"
    "throttle|count|0|jobs of one array that run at once; 0: as many as there is room for"
    "restarts|count|100|a job that has been requeued this often stops"
)

profile_fail() { echo "$*" >&2; return 2; }

profile_known() { (cd "$profile_folder" && ls -- *.conf) | sed 's/\.conf$//' | paste -sd' '; }

profile_nearest() # WORD CANDIDATE...: the candidate with the fewest edits
{
    local word=$1
    shift
    printf '%s\n' "$@" | awk -v word="$word" '
        function least(a, b) { return a < b ? a : b }
        function edits(a, b,    i, j, d, same) {
            for (i = 0; i <= length(a); i++) d[i, 0] = i
            for (j = 0; j <= length(b); j++) d[0, j] = j
            for (i = 1; i <= length(a); i++) for (j = 1; j <= length(b); j++) {
                same = substr(a, i, 1) != substr(b, j, 1)
                d[i, j] = least(d[i - 1, j - 1] + same, least(d[i - 1, j], d[i, j - 1]) + 1)
            }
            return d[length(a), length(b)]
        }
        { e = edits(word, $0); if (NR == 1 || e < best) { best = e; nearest = $0 } }
        END { print nearest }'
}

profile_row() # KEY -> kind|default|meaning
{
    local row
    for row in "${profile_table[@]}"; do
        if [ "${row%%|*}" = "$1" ]; then
            echo "${row#*|}"
            return 0
        fi
    done
    return 1
}

profile_check_value() # WHERE KEY VALUE
{
    local kind
    kind=$(profile_row "$2")
    kind=${kind%%|*}
    case $kind in
    text | lines) return 0 ;;
    count) [[ $3 =~ ^[0-9]+$ ]] || profile_fail "$1: $2 = $3: expected a whole number" ;;
    number) [[ $3 =~ ^[0-9]*\.?[0-9]+$ ]] || profile_fail "$1: $2 = $3: expected a number" ;;
    *) [[ " $kind " == *" $3 "* ]] || profile_fail "$1: $2 = $3: expected one of: $kind" ;;
    esac
}

profile_line() # WHERE LINE
{
    local key value
    [[ $2 =~ ^[[:space:]]*(#.*)?$ ]] && return 0
    [[ $2 =~ ^[[:space:]]*([A-Za-z_]+)[[:space:]]*=[[:space:]]*(.*)$ ]] || profile_fail "$1: expected: key = value" || return
    key=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
    value=${value%"${value##*[![:space:]]}"}
    profile_row "$key" >/dev/null ||
        profile_fail "$1: unknown key $key; the nearest is $(profile_nearest "$key" "${profile_table[@]%%|*}") (all: slurm/submit --keys)" || return
    profile_check_value "$1" "$key" "$value" || return
    if [[ $(profile_row "$key") == lines* ]]; then
        profile[$key]+=$value$'\n'
    elif [ -n "${profile_line_of[$key]:-}" ]; then
        profile_fail "$1: $key stands in line ${profile_line_of[$key]} already"
    else
        profile[$key]=$value
        profile_line_of[$key]=${1##*:}
    fi
}

profile_read() # NAME|FILE
{
    local file=$1 row line number=0
    local -A profile_line_of=()
    declare -gA profile=()
    [[ $file == */* ]] || file=$profile_folder/$1.conf
    [ -f "$file" ] || profile_fail "no profile $1 (looked for $file); there are: $(profile_known)" || return
    for row in "${profile_table[@]}"; do
        IFS='|' read -r key _ value _ <<<"$row"
        profile[$key]=$value
    done
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        profile_line "$file:$number" "$line" || return
    done <"$file"
    if [ "${profile[memory]}" = mem ] && [ "${profile[cores_per_node]}" -eq 0 ]; then
        profile_fail "$file: memory = mem asks per node: cores_per_node is needed (or memory = mem-per-cpu)"
    fi
}

profile_print_keys()
{
    local row key kind default meaning
    for row in "${profile_table[@]}"; do
        IFS='|' read -r key kind default meaning <<<"$row"
        printf '%-17s %s\n%17s %s%s\n' "$key" "$meaning" "" "${kind// /|}" "${default:+, default $default}"
    done
}
