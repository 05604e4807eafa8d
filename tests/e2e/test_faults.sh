#!/usr/bin/env bash
# timeout: 1200
# labels: slow
# processors: 1
# An injected failure on each rank, at each point of each stage: every rank ends by itself with the same code, one
# message names the rank, nothing is left behind on the disk or in memory. A rank that waits for another is ended from outside, without a code.
source "$(dirname "$0")/support.sh"
world=$scratch/world
make_world "$world"
data=$world/data
subject=$(ls "$data/derivative/preprocessed_data")
mapfile -t sounds < <(ls "$data"/stimuli/*.wav)
mkdir "$scratch/codes"
export BRAINTUNE_LEAKS=1
cat >"$scratch/rank" <<'END'
#!/bin/sh
"$BRAINTUNE" "$@"
echo $? >"${0%/*}/codes/$OMPI_COMM_WORLD_RANK"
END
chmod +x "$scratch/rank"

make_matrices
integers Y3 530 60
integers Y4 20 60

command_of() { # RUN -> ranks, array `words`
    ranks=2
    case $1 in
    simulate) words=(simulate "${world_settings[@]}") ;;
    features) words=(features model="$data/model" dataset="$data" "${feature_settings[@]}") ;;
    windows) words=(features model="$data/model" audio="${sounds[0]},${sounds[1]}" "${feature_settings[@]}") ;;
    frames) words=(features model="$data/model" audio="${sounds[0]},${sounds[1]}" mode=frames) ;;
    lowlevel) words=(lowlevel dataset="$data") ;;
    ceiling) words=(ceiling dataset="$data" subject="$subject") ;;
    layers) words=(encode dataset="$data" subject="$subject" features="$world/features.h5" test.target=data grid.layer=2) ;;
    voxels) ranks=3 words=(encode dataset="$data" subject="$subject" features="$world/features.h5" grid.voxel=3) ;;
    weights) words=(encode dataset="$data" subject="$subject" features="$world/features.h5" grid.voxel=2 weights=true) ;;
    wide) words=(encode features="$scratch/X.npy" responses="$scratch/Y.npy" test.features="$scratch/X2.npy"
        test.responses="$scratch/Y2.npy" cv.scheme=kfold cv.n_fold=2 alphas=10) ;;
    dealt) words=(encode features="$scratch/X.npy" responses="$scratch/Y3.npy" test.features="$scratch/X2.npy"
        test.responses="$scratch/Y4.npy" cv.scheme=kfold cv.n_fold=3 alphas=10 grid.voxel=2) ;;
    spread) words=("${spread_words[@]}") ;;
    esac
    words+=(store="$scratch/store" out="$scratch/out/result")
}

# Every rank's code in `codes`, the message in $scratch/message.
attempt() { # FAULT
    rm -rf "$scratch/out" "$scratch"/codes/*
    mkdir "$scratch/out"
    BRAINTUNE_FAULT=$1 timeout 60 mpirun --quiet --oversubscribe -n "$ranks" "$scratch/rank" "${words[@]}" \
        >"$scratch/stdout" 2>"$scratch/message" || true
    codes=
    for ((r = 0; r < ranks; ++r)); do codes+="$(cat "$scratch/codes/$r" 2>/dev/null || echo none) "; done
}

tried=0
# The run fails at POINT on each of the ranks WHO (root, all, or last), and leaves nothing.
fails() { # RUN POINT WHO [NTH]
    local who=$3 fault rank first=0 last
    command_of "$1"
    last=$((ranks - 1))
    [ "$who" != root ] || last=0
    [ "$who" != last ] || first=$last
    for rank in $(seq "$first" "$last"); do
        fault=$2:fail:$rank:${4:-1}
        attempt "$fault"
        tried=$((tried + 1))
        [ "$codes" = "$(printf '4 %.0s' $(seq "$ranks"))" ] || { cat "$scratch/message"; fail "$1, $fault: codes $codes"; }
        [ "$(grep -c 'braintune: error:' "$scratch/message")" -eq 1 ] || { cat "$scratch/message"; fail "$1, $fault: not one message"; }
        grep -q "error: rank $rank: .*injected failure at $2" "$scratch/message" || { cat "$scratch/message"; fail "$1, $fault: another message"; }
        ! grep "leaked" "$scratch/message" || fail "$1, $fault: memory leaked"
        [ ! -s "$scratch/stdout" ] || fail "$1, $fault: output on standard output"
        [ -z "$(ls -A "$scratch/out")" ] || fail "$1, $fault: left behind: $(ls -A "$scratch/out")"
    done
}

# After the rename the result is there and whole: the code says what went wrong, the next run finds the work done.
fails_late() { # RUN
    command_of "$1"
    attempt publish.renamed:fail:0
    tried=$((tried + 1))
    [ "$codes" = "4 4 " ] || { cat "$scratch/message"; fail "$1, publish.renamed: codes $codes"; }
    [ "$(ls -A "$scratch/out")" = result ] || fail "$1, publish.renamed: $(ls -A "$scratch/out")"
    on_ranks 2 "$BRAINTUNE" "${words[@]}" >"$scratch/stdout" 2>"$scratch/message" || fail "$1: no second run"
    [ -s "$scratch/stdout" ] || fail "$1: no result on standard output"
}

# Facts of the run are no reason to fail.
warns() { # RUN
    command_of "$1"
    attempt publish.sidecar:fail:0
    tried=$((tried + 1))
    [ "$codes" = "0 0 " ] || { cat "$scratch/message"; fail "$1, publish.sidecar: codes $codes"; }
    grep -q "run facts are not beside it" "$scratch/message" || { cat "$scratch/message"; fail "$1: no warning"; }
}

for run in simulate features lowlevel ceiling layers; do
    fails "$run" artefact.leased root
    fails "$run" artefact.computed all
    fails "$run" publish.synced root
    fails_late "$run"
    warns "$run"
done
fails simulate simulate.story all
fails simulate simulate.story all 2
fails simulate simulate.responses all
fails simulate simulate.responses all 2
fails simulate simulate.truth root
fails features features.model all
for run in features windows; do
    fails "$run" features.sound root 2
    fails "$run" features.states all
    fails "$run" features.states all 2
    fails "$run" features.write root 2
done
fails frames features.states all
fails frames features.write root 2
fails lowlevel lowlevel.story all
fails lowlevel lowlevel.story all 2
fails lowlevel lowlevel.write root 3
fails ceiling ceiling.open all
fails ceiling ceiling.read all
fails ceiling ceiling.write root
fails layers encode.open all
fails layers encode.read all
fails layers encode.design all
fails layers encode.design root 3
fails layers encode.split all 2
fails layers encode.refit all
fails layers encode.collect all
fails layers encode.write root 2
fails layers ceiling.read root
fails voxels array.columns all
fails voxels array.columns all 2
fails voxels encode.design root 2
fails voxels encode.split all
fails voxels encode.refit all
fails voxels encode.collect all 2
fails voxels encode.write root 3
fails weights encode.collect all
fails weights encode.refit all
fails wide dense.gram all
fails wide dense.eigen all
fails dealt encode.reduce last
fails dealt encode.dealt all
fails dealt encode.dealt root 2
fails spread spread.gram all
fails spread spread.eigen all 2
fails spread encode.split all

# A full disk: the responses are read and fitted, the file has no room.
mkdir "$scratch/full"
if mount -t tmpfs -o size=1m tmpfs "$scratch/full" 2>/dev/null; then
    trap 'umount "$scratch/full"; rm -rf "$scratch"' EXIT
    head -c $((1024 * 1024 - 4096)) /dev/zero >"$scratch/full/filler"
    for run in layers weights spread; do
        command_of "$run"
        words=("${words[@]/out=*/out=$scratch/full/result}")
        attempt none
        tried=$((tried + 1))
        [ "$codes" = "4 4 " ] || { cat "$scratch/message"; fail "$run on a full disk: codes $codes"; }
        [ "$(grep -c 'braintune: error:' "$scratch/message")" -eq 1 ] || { cat "$scratch/message"; fail "$run on a full disk: not one message"; }
        grep -q 'error: rank 0: .*\(No space left\|full\)' "$scratch/message" || { cat "$scratch/message"; fail "$run on a full disk: another message"; }
        ! grep "leaked" "$scratch/message" || fail "$run on a full disk: memory leaked"
        [ "$(ls -A "$scratch/full")" = filler ] || fail "$run on a full disk: left behind: $(ls -A "$scratch/full")"
    done
fi

# Files that one rank does not see: the other ranks' working folder is where they lie.
mkdir "$scratch/elsewhere"
here=$scratch/world nowhere=$scratch/elsewhere
printf 'cv: {seed: 3}\n' >"$here/settings.yaml"
parted() { # PART WORDS...: PART is in the message
    local part=$1 first second
    for first in here nowhere; do
        second=$([ "$first" = here ] && echo nowhere || echo here)
        rm -rf "$scratch/out" "$scratch"/codes/*
        mkdir "$scratch/out"
        words=("${@:2}" store="$scratch/store" out="$scratch/out/result")
        timeout 60 mpirun --quiet --oversubscribe -wdir "${!first}" -n 1 "$scratch/rank" "${words[@]}" : \
            -wdir "${!second}" -n 1 "$scratch/rank" "${words[@]}" >"$scratch/stdout" 2>"$scratch/message" || true
        tried=$((tried + 1))
        codes=$(cat "$scratch"/codes/0 "$scratch"/codes/1 | tr '\n' ' ')
        [ "$codes" = "3 3 " ] || [ "$codes" = "2 2 " ] || { cat "$scratch/message"; fail "$2 of one rank: codes $codes"; }
        [ "$(grep -c 'braintune: error:' "$scratch/message")" -eq 1 ] || { cat "$scratch/message"; fail "$2: not one message"; }
        grep -q "$part" "$scratch/message" || { cat "$scratch/message"; fail "$2: no $part"; }
        [ -z "$(ls -A "$scratch/out")" ] || fail "$2: left behind: $(ls -A "$scratch/out")"
    done
}
parted "no such folder" features model=data/model dataset="$data" "${feature_settings[@]}"
parted "not a folder" lowlevel dataset=data
parted "not a folder" ceiling dataset=data subject="$subject"
parted "features.h5" encode dataset="$data" subject="$subject" features=features.h5
parted "settings.yaml" encode settings.yaml dataset="$data" subject="$subject" features="$world/features.h5"
# Other files under the same names: left on a node by another run.
integers Y 530 3
mv "$scratch/Y.npy" "$here"
integers Y 530 4
mv "$scratch/Y.npy" "$nowhere"
cp -r "$data" "$nowhere"
sed -i '/"story01"/d' "$nowhere/data/derivative/respdict.json"
parted "rank 1: this rank finds [34] voxels" encode features="$scratch/X.npy" responses=Y.npy test.features="$scratch/X.npy" \
    test.responses=Y.npy
parted "rank 1: this rank finds [56] sounds" lowlevel dataset=data
parted "rank 1: this rank finds [56] sounds" features model="$data/model" dataset=data "${feature_settings[@]}"

echo "ok: $tried failures"
[ "$tried" -ge 120 ]
