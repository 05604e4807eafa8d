# Sourced by the end-to-end tests: a scratch folder, a small world, expectations.

set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

on_ranks() { # N COMMAND...
    local n=$1
    shift
    mpirun --quiet --oversubscribe -n "$n" "$@"
}

# simulate, features, lowlevel of a data set that takes seconds: $1 is the folder, on $2 ranks.
world_settings=(seed=5 stories.count=4 stories.seconds=60 stories.repeats=3 subjects.count=1
    voxels.primary_auditory=6 voxels.language=6 voxels.mixed=3 voxels.null=6
    model.hidden=16 model.blocks=2 model.heads=2 model.intermediate=24 model.channels=8)
feature_settings=(window.context=2 window.stride=0.5)

make_world() {
    local folder=$1 ranks=${2:-2}
    mkdir -p "$folder"
    on_ranks "$ranks" "$BRAINTUNE" simulate "${world_settings[@]}" out="$folder/data" >"$folder/log" 2>&1 || { cat "$folder/log"; fail simulate; }
    on_ranks "$ranks" "$BRAINTUNE" features model="$folder/data/model" dataset="$folder/data" "${feature_settings[@]}" \
        out="$folder/features.h5" >"$folder/log" 2>&1 || { cat "$folder/log"; fail features; }
    on_ranks "$ranks" "$BRAINTUNE" lowlevel dataset="$folder/data" features=envelope,word_rate out="$folder/lowlevel.h5" >"$folder/log" 2>&1 ||
        { cat "$folder/log"; fail lowlevel; }
}

# NAME ROWS COLUMNS: $scratch/NAME.npy of small integers
integers() {
    local header="{'descr': '|i1', 'fortran_order': False, 'shape': ($2, $3), }"
    { printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header"; LC_ALL=C awk -v n=$(($2 * $3)) -v seed="$2" \
        'BEGIN { srand(seed); for (i = 0; i < n; ++i) printf "%c", 1 + int(125 * rand()) }'; } >"$scratch/$1.npy"
}

# X, Y, X2, Y2 of a fit that two ranks spread the factors of, in so little memory.
make_matrices() {
    integers X 530 515
    integers Y 530 3
    integers X2 20 515
    integers Y2 20 3
}
spread_words=(encode features="$scratch/X.npy" responses="$scratch/Y.npy" test.features="$scratch/X2.npy"
    test.responses="$scratch/Y2.npy" cv.scheme=kfold cv.n_fold=2 alphas=10,100 search=fast grid.voxel=2 memory=18MiB)

# The command goes well, and a line that it prints matches the basic regular expression PATTERN. It is read to its end: a
# program whose reader leaves early may end by SIGPIPE.
says() { # PATTERN COMMAND...
    local printed
    printed=$("${@:2}") && grep -q -- "$1" <<<"$printed"
}

ranks_of() { # the braintune processes below a job of this shell
    local child
    for child in $(pgrep -P "$1"); do
        if [ "$(cat "/proc/$child/comm" 2>/dev/null)" = braintune ]; then echo "$child"; else ranks_of "$child"; fi
    done
}

sleep_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

hit() { # JOB SIGNAL: to one of its ranks, drawn at random; 1: there is none
    local ranks
    mapfile -t ranks < <(ranks_of "$1")
    [ ${#ranks[@]} -gt 0 ] || return 1
    kill "-$2" "${ranks[$((RANDOM % ${#ranks[@]}))]}" 2>/dev/null || true
}

is_alive() { # PID: it is there, and no zombie
    local state
    state=$(ps -o state= -p "$1") && [ "$state" != Z ]
}

# All ranks of a job must be over within so many seconds. mpirun itself may hang then: it locks itself up when a rank is
# killed while it connects (Open MPI 4.1, PMIx 4.2, 1 kill of 300).
end_of() { # JOB LIMIT WHAT
    local from=$SECONDS rank
    while kill -0 "$1" 2>/dev/null; do
        if [ $((SECONDS - from)) -gt "$2" ]; then
            for rank in $(ranks_of "$1"); do
                ! is_alive "$rank" || fail "$3: still running $2 s after the signal"
            done
            echo "$3: all ranks have ended, mpirun has not" >&2
            pkill -KILL -P "$1" || true
            from=$SECONDS
        fi
        sleep 0.05
    done
}

# The command must end with CODE, its message must hold PART (a basic regular expression), and TARGET ("" = none) and
# temporaries beside it must not exist afterwards; no memory of ours is left.
tried=0
refuse() { # CODE PART TARGET COMMAND...
    local code=$1 part=$2 target=$3 got=0 message
    shift 3
    tried=$((tried + 1))
    message=$(BRAINTUNE_LEAKS=1 "$@" 2>&1 >"$scratch/stdout") || got=$?
    [ "$got" -eq "$code" ] || fail "exit $got instead of $code: $* :: $message"
    grep -q -- "$part" <<<"$message" || fail "no \"$part\" in: $message :: $*"
    ! grep -q leaked <<<"$message" || fail "memory leaked: $* :: $message"
    [ ! -s "$scratch/stdout" ] || fail "a failure printed on standard output: $*"
    [ -z "$target" ] && return 0
    [ ! -e "$target" ] || fail "partial output $target: $*"
    local left
    left=$(find "$(dirname "$target")" -maxdepth 1 -name ".*" ! -name . 2>/dev/null | head -n 3)
    [ -z "$left" ] || fail "left behind: $left: $*"
}
