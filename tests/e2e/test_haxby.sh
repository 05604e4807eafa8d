#!/usr/bin/env bash
# Voxelwise encoding of real BOLD by the program itself, on 2 ranks: r per voxel as numpy's to 1e-4, by h5diff.
source "$(dirname "$0")/support.sh"
golden=$BRAINTUNE_SOURCE/tests/data/golden/encoding
shared=${BRAINTUNE_TEST_DATA:-$BRAINTUNE_SOURCE/../shared/data}

# encode_runs NAME PATTERN MASK GOLDEN [key=value ...]: PATTERN holds RUN where 001 .. 012 goes
encode_runs() {
    local name=$1 pattern=$2 mask=$3 wanted=$4 train=() test=() run
    shift 4
    for run in 001 002 003 004 005 006 007 008 009; do train+=("${pattern/RUN/$run}"); done
    for run in 010 011 012; do test+=("${pattern/RUN/$run}"); done
    on_ranks 2 "$BRAINTUNE" encode features="$golden/haxby_x.npy" test.features="$golden/haxby_x2.npy" mask="$mask" \
        responses="$(IFS=,; echo "${train[*]}")" test.responses="$(IFS=,; echo "${test[*]}")" \
        delays=1,2,3,4 alphas.logspace=0,4,9 out="$scratch/$name.h5" store="$scratch/store" "$@" \
        >"$scratch/table" 2>"$scratch/log" || { cat "$scratch/log"; fail "$name"; }
    grep -q "mean r" "$scratch/table" || fail "$name: no table"
    grep -q "warning: .*centre responses" "$scratch/log" || fail "$name: raw BOLD without an intercept, and no warning"
    h5diff -d 1e-4 "$scratch/$name.h5" "$golden/$wanted.h5" /r /r || fail "$name: other r than numpy's"
}

excerpt=$BRAINTUNE_SOURCE/tests/data/fmri/haxby
encode_runs plain "$excerpt/runRUN.nii.gz" "$excerpt/mask.nii.gz" haxby_excerpt_plain
encode_runs zscore "$excerpt/runRUN.nii.gz" "$excerpt/mask.nii.gz" haxby_excerpt_zscore zscore=true
if [ -d "$shared/fmri/haxby2001" ]; then
    whole=$shared/fmri/haxby2001/sub001
    encode_runs brain "$whole/BOLD/task001_runRUN/bold_25mm.nii.gz" "$whole/masks/25mm/brain.nii.gz" haxby_brain_plain
    encode_runs brain_zscore "$whole/BOLD/task001_runRUN/bold_25mm.nii.gz" "$whole/masks/25mm/brain.nii.gz" haxby_brain_zscore zscore=true
fi
echo ok
