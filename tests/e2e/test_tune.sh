#!/usr/bin/env bash
# timeout: 600
# labels: slow
# Tuning by the program: subjects in groups of ranks, a head each or one for all, give one rank's losses on any number of
# ranks; a run that was killed on one number of ranks goes on with another.
source "$(dirname "$0")/support.sh"
on_ranks 2 "$BRAINTUNE" simulate "${world_settings[@]}" subjects.count=2 out="$scratch/data" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail simulate; }
words=(tune model="$scratch/data/model" dataset="$scratch/data" stories.tune=story01,story02,story03 stories.validate=story04
    window.seconds=3 batch=16 micro_batch=4 epochs=3 rate.backbone=1e-3 store="$scratch/store")
tune() { # RANKS OUT WORDS...
    on_ranks "$1" "$BRAINTUNE" "${words[@]}" out="$scratch/$2" "${@:3}" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "tune ${*:3} on $1 ranks"; }
}
numbers() { h5dump -y -w 1 -d "$2" "$scratch/$1/tuning.h5" | grep -E '^ *(nan|-?[0-9])' | tr -d ' ,'; }
same_losses() { # A B
    local series
    for series in /loss/step /loss/validate /r/all; do
        paste <(numbers "$1" $series) <(numbers "$2" $series) | awk -v what="$1 and $2, $series" '
            { d = $1 - $2; if (d < 0) d = -d; size = $1 < 0 ? -$1 : $1; if (NF != 2 || d > 1e-4 * (size > 0.01 ? size : 0.01)) { print what ": " $0; bad = 1 } }
            END { exit bad || NR == 0 }' || fail "$1 and $2 differ in $series"
    done
}

# --- a dry run counts the frames that are stored: of both lists, and none where they are not ---
bytes() {
    "$BRAINTUNE" "${words[@]}" subjects=SIM01 out="$scratch/dry" dry_run=true "$@" 2>/dev/null |
        awk '$1 " " $2 == "bytes written" { printf "%.0f\n", $3 * ($4 == "KiB" ? 1024 : $4 == "MiB" ? 1048576 : 1) }'
}
stored=$(bytes) tuned_on=$(bytes stories.validate=) recomputed=$(bytes frames=recompute)
[ "$stored" -gt "$tuned_on" ] && [ "$tuned_on" -gt "$recomputed" ] || fail "a dry run writes $stored, without validation $tuned_on, recomputing $recomputed"
[ "$(bytes train.front_end=true)" -eq "$recomputed" ] && [ "$(bytes normalise=batch)" -eq "$recomputed" ] || fail "a dry run counts frames that change"

both=subjects=SIM01,SIM02
for heads in per_subject shared; do
    more=(heads=$heads)
    [ $heads = per_subject ] || more+=(voxels.ceiling=none)
    for ranks in 1 2 4; do tune $ranks $heads$ranks $both "${more[@]}"; done
    same_losses ${heads}1 ${heads}2
    same_losses ${heads}1 ${heads}4
done
tune 4 samples4 $both grid.subject=1 # four ranks share each batch of both
same_losses per_subject1 samples4

# One subject lacks a story: its group has fewer batches than the other, and a head that both share moves all the same.
cp -r "$scratch/data" "$scratch/uneven"
rm "$scratch/uneven/derivative/preprocessed_data/SIM02/story03.hf5"
uneven=(dataset="$scratch/uneven" stories.missing=skip voxels.ceiling=none)
for heads in per_subject shared; do
    for ranks in 1 2; do tune $ranks uneven_$heads$ranks $both "${uneven[@]}" heads=$heads; done
    same_losses uneven_${heads}1 uneven_${heads}2
done

# With everything left out at random that can be: what is drawn is of the step, not of the call.
one=(subjects=SIM01 checkpoint.steps=2 dropout.hidden=0.1 dropout.attention=0.1 dropout.activation=0.1 dropout.input=0.1
    layerdrop=0.1 mask.time=0.1 mask.feature=0.1 mask.feature_length=2)
tune 2 whole "${one[@]}"
for ranks in 1 2 3; do
    BRAINTUNE_FAULT=tune.step:kill:0:8 on_ranks 2 "$BRAINTUNE" "${words[@]}" "${one[@]}" out="$scratch/from2to$ranks" >"$scratch/log" 2>&1 &&
        fail "the fault did not happen"
    tune $ranks from2to$ranks "${one[@]}"
    grep -q "going on at step [1-9]" "$scratch/log" || { cat "$scratch/log"; fail "it began anew on $ranks ranks"; }
    same_losses whole from2to$ranks
done
same() { diff -r -q -x '*.run.json' "$scratch/$1" "$scratch/$2" || fail "$1 and $2 differ"; }
same whole from2to2

# The model of the lowest validation loss is kept, however small the fall; patience asks for one by `improvement`.
tune 1 patient subjects=SIM01 epochs=5 improvement=0.9 patience=2
numbers patient /loss/validate >"$scratch/validate"
[ "$(wc -l <"$scratch/validate")" -eq 3 ] || fail "patience=2 with no improvement ended after $(wc -l <"$scratch/validate") epochs"
lowest=$(cat -n "$scratch/validate" | sort -g -k2 | awk 'NR == 1 { print $1 }')
[ "$lowest" -gt 1 ] || fail "the loss does not fall"
attribute() { h5dump -a "$2" "$scratch/$1/tuning.h5" | sed -n 's/.*(0): //p'; }
[ "$(attribute patient /best_epoch)" = "$lowest" ] || fail "epoch $(attribute patient /best_epoch) was kept, the lowest loss is epoch $lowest's"

# Heads alone, the backbone as it is: a warning, and a result.
tune 1 still subjects=SIM01 rate.backbone=0
grep -q "it was not changed" "$scratch/log" || fail "no warning of a model that is what it was"
voxels=$(h5dump -H "$scratch/data/derivative/preprocessed_data/SIM01/story04.hf5" | sed -n 's/.*SIMPLE { ( [0-9]*, \([0-9]*\) ).*/\1/p')
[ "$(attribute shared2 /n_voxel)" = $((2 * voxels)) ] || fail "$(attribute shared2 /n_voxel) voxels learnt of two subjects of $voxels"

# Asked to stop in the middle of validation, also in the last one: the state is that of the epoch's end, the same call
# validates anew, and the end is the uninterrupted run's.
stopped() { # RANKS OUT RANK NTH STEP WORDS...
    local code=0
    BRAINTUNE_FAULT=tune.validate:term:$3:$4 on_ranks "$1" "$BRAINTUNE" "${words[@]}" out="$scratch/$2" "${@:6}" >"$scratch/log" 2>&1 || code=$?
    [ $code -eq 6 ] || { cat "$scratch/log"; fail "asked to stop in validation: exit $code"; }
    grep -q "interrupted at step $5 of" "$scratch/log" || { cat "$scratch/log"; fail "not at step $5, the epoch's end"; }
    tune "$1" "$2" "${@:6}"
    grep -q "going on at step $5 " "$scratch/log" || { cat "$scratch/log"; fail "it did not go on from step $5"; }
}
stopped 2 first 1 1 $(($(numbers whole /loss/step | wc -l) / 3)) "${one[@]}"
same whole first
rows=$(h5dump -H "$scratch/data/derivative/preprocessed_data/SIM01/story04.hf5" | sed -n 's/.*SIMPLE { ( \([0-9]*\), .*/\1/p')
rounds=$(((rows + 7) / 8)) # of two ranks' micro-batches
[ $rounds -gt 1 ] || fail "a validation of $rounds rounds cannot be stopped between them"
stopped 2 last 0 $((2 * rounds + 1)) "$(numbers whole /loss/step | wc -l)" "${one[@]}"
same whole last
stopped 2 groups 1 1 $(($(numbers shared2 /loss/step | wc -l) / 3)) $both heads=shared voxels.ceiling=none # the other group is told
same shared2 groups
echo "ok"
