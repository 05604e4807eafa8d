#!/usr/bin/env bash
# timeout: 600
# labels: slow
# Plans on a real Slurm: arrays split at MaxArraySize, dependencies, failures that block dependants and nothing else, what
# is queued or done is not submitted twice; preemption and time limits, with both ways back into the queue.
source "$(dirname "$0")/support.sh"
source "$(dirname "$0")/support_slurm.sh"
if [ "$(id -u)" -ne 0 ] || ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then
    echo "needs root, slurm-wlm and munge"
    exit 77
fi
trap 'cluster_stop "$scratch/cluster"; cluster_stop "$scratch/other"; rm -rf "$scratch"' EXIT
submit=$BRAINTUNE_SOURCE/slurm/submit
export BRAINTUNE_SLURM=$BRAINTUNE_SOURCE/slurm
cd "$scratch"

within() { # SECONDS COMMAND...: until it succeeds
    local until=$((SECONDS + $1))
    shift
    while ! "$@"; do
        [ "$SECONDS" -lt "$until" ] || { squeue -r; tail -n 20 */plans/*/logs/*; fail "not within its time: $*"; }
        sleep 0.5
    done
}
queue_is_empty() { [ -z "$(squeue -h)" ]; }
logged() { cat "$1.slurm"/logs/* 2>/dev/null | grep -q -- "$2"; } # PLAN-STEM WHAT
plan_of() { # YAML key=value ...: the plan's path without .json
    "$BRAINTUNE" plan "$@" | sed -n '1s/\.json$//p'
}
states() { # PLAN: "done running failed blocked waiting" of all tasks
    "$BRAINTUNE" status "$1" | awk '$1 == "all" { print $3, $4, $5, $6, $7 }'
}

echo "== a data set, a plan =="
on_ranks 2 "$BRAINTUNE" simulate "${world_settings[@]}" subjects.count=2 stories.count=3 out=data >log 2>&1 || { cat log; fail simulate; }
cat >small.yaml <<'END'
experiment: small
store: store
results: results
dataset:
  root: data
  subjects: [SIM01, SIM02]
  stories: {tune: [story01, story02], validate: [story03], encode: [story01, story02, story03], test: [test01]}
models: {small: data/model}
tune:
  brain: {models: [small], objective: brain, per: subject, epochs: 2, window.seconds: 4, batch: 4, micro_batch: 1}
encode:
  alignment: {models: [pretrained, brain], features: {window.context: 2, window.stride: 0.5}}
resources:
  tune: {ranks: 2, time: 50s}
  features: {time: 50s}
  encode: {time: 20s}
END
sed -e 's/^experiment: .*/experiment: long/' -e 's/^store: .*/store: long/' -e 's/subjects: .*/subjects: [SIM01]/' -e '/^encode:/,/^  alignment:/d' -e 's/epochs: 2/epochs: 40, patience: 0/' small.yaml >long.yaml

echo "== profiles and calls that are refused =="
refuse 2 'no profile nowhere .* there are: example test' "" "$submit" small.yaml --profile nowhere
printf 'partition = batch\n' >wrong.conf
refuse 2 'wrong.conf:1: unknown key partition; the nearest is partitions' "" "$submit" small.yaml --profile ./wrong.conf
printf '# site\nlauncher = mpiexec\n' >wrong.conf
refuse 2 'wrong.conf:2: launcher = mpiexec: expected one of: mpirun srun' "" "$submit" small.yaml --profile ./wrong.conf
printf 'account = a\naccount = b\n' >wrong.conf
refuse 2 'wrong.conf:2: account stands in line 1 already' "" "$submit" small.yaml --profile ./wrong.conf
printf 'memory = mem\n' >wrong.conf
refuse 2 'cores_per_node is needed' "" "$submit" small.yaml --profile ./wrong.conf
refuse 2 'unknown option --fialed; the nearest is --failed' "" "$submit" small.yaml --profile test --fialed
refuse 2 '--throttle 0: expected' "" "$submit" small.yaml --profile test --throttle 0

echo "== arrays; a subject whose data are gone =="
cluster_start "$scratch/cluster" requeue_exit=85 max_array_size=2 || fail "no cluster"
printf 'partitions = batch=0:00:20\n' >wrong.conf
refuse 2 'limit of 20 s is not above signal_lead' "" "$submit" small.yaml --profile ./wrong.conf
printf 'partitions = bath\n' >wrong.conf
refuse 2 'no partition bath .* Slurm has: batch short urgent' "" "$submit" small.yaml --profile ./wrong.conf
stem=$(plan_of small.yaml)
plan=$stem.json
"$submit" "$plan" --profile test --dry-run >dry 2>&1 || { cat dry; fail "dry run"; }
grep -q 'dry run: 10 tasks in 8 jobs would be submitted' dry || { cat dry; fail "dry run"; }
[ ! -e "$stem.slurm" ] && queue_is_empty || fail "a dry run left something"

mv data/derivative/preprocessed_data/SIM02/story01.hf5 away.hf5
"$submit" "$plan" --profile test >table || { cat table; fail submit; }
cat table
# tune 2 slots, features 3, encode 4 tasks two a slot, collect 1; arrays of two at most.
diff - <(cut -f2-5 "$stem.slurm/jobs") <<END || fail "other arrays"
tune	001/tune-1.slots	0	2
features	001/features-2.slots	0	2
features	001/features-2.slots	2	1
encode	001/encode-3.slots	0	2
collect	001/collect-4.slots	0	1
END
mapfile -t ids < <(cut -f1 "$stem.slurm/jobs")
for id in "${ids[1]}" "${ids[2]}"; do
    scontrol show job "${ids[3]}" | grep -q "Dependency=.*afterany:${id}_" || fail "encode does not wait for job $id"
done
"$submit" "$plan" --profile test | grep -q 'what is left, 10 tasks, is queued already' || fail "a second submit does not see the queue"
within 150 queue_is_empty
# Of SIM02: tune and the untuned model's encode fail, features and encode of the tuned model are blocked.
[ "$(states "$plan")" = "6 0 2 2 0" ] || { "$BRAINTUNE" status "$plan"; fail "other states than 6 done, 2 failed, 2 blocked"; }
"$BRAINTUNE" status "$plan" | grep -q 'story01' || fail "status does not say why"
logged "$stem" 'at least one task failed, is blocked, or lacks inputs (3)' || fail "the log does not say what 3 means"
[ -s "$stem.slurm/logs/features-${ids[2]}_0.log" ] || fail "no log of job and index"

echo "== rerun --failed, from copies of the responses =="
mv away.hf5 data/derivative/preprocessed_data/SIM02/story01.hf5
mkdir node
sed -e "s,^scratch.*,scratch = $scratch/node," "$BRAINTUNE_SLURM/profiles/test.conf" >staged.conf
echo 'stage_in = responses' >>staged.conf
"$BRAINTUNE" rerun "$plan" --failed --profile ./staged.conf >table || { cat table; fail rerun; }
cat table
within 120 queue_is_empty
[ "$(states "$plan")" = "10 0 0 0 0" ] || { "$BRAINTUNE" status "$plan"; fail "not all done"; }
"$submit" "$plan" --profile test --failed | grep -q 'nothing to submit for --failed' || fail "something is left to submit"

logged "$stem" "the responses of SIM02 are in $scratch/node/" || fail "nothing was staged"
[ -z "$(ls -A node)" ] && [ -z "$(find "$stem.slurm" -name 'staged-*')" ] || fail "copies are left behind"
"$BRAINTUNE" run small.yaml store=unstaged --task 5 >log 2>&1 || { cat log; fail "the unstaged run"; }
for scores in unstaged/encode/*.h5; do cmp "$scores" "store/encode/${scores##*/}" || fail "other scores from copies"; done

echo "== preempted: saved, back by exit code 85, gone on =="
long=$(plan_of long.yaml)
"$submit" "$long.json" --profile test || fail submit
within 60 logged "$long" 'epoch 2 of'
sbatch --partition=urgent --ntasks=2 --output=/dev/null --wrap='sleep 1' >/dev/null
within 60 logged "$long" 'back to the queue by exit code 85'
on_ranks 2 "$BRAINTUNE" run long.yaml store=unbroken --stage tune >log 2>&1 || { cat log; fail "the unbroken run"; }
within 150 queue_is_empty
logged "$long" 'going on at step [1-9]' || fail "the requeued job began anew"
diff -r -q -x '*.run.json' long/tune unbroken/tune || fail "another end than that of an unbroken run"

echo "== the time limit: saved, back by scontrol requeue, gone on; cancelled, it stays so =="
cluster_stop "$scratch/cluster"
cluster_start "$scratch/other" requeue_exit= || fail "no cluster"
sed -e 's/^partitions.*/partitions = short/' -e 's/^signal_lead.*/signal_lead = 20/' "$BRAINTUNE_SLURM/profiles/test.conf" >short.conf
long=$(plan_of long.yaml experiment=limited tune.brain.epochs=100000)
"$submit" "$long.json" --profile ./short.conf --throttle 1 || fail submit
within 90 logged "$long" 'back to the queue by scontrol requeue'
within 60 logged "$long" 'start 2'
within 60 logged "$long" 'going on at step [1-9]'
scancel --name=limited.tune
within 60 queue_is_empty
logged "$long" 'Slurm has cancelled or requeued this job' || fail "the job does not say that it was cancelled"
logged "$long" 'task.* left alone: inputs are not there yet' || fail "collect does not say what it lacks"
[ "$(states "$long.json")" = "0 0 0 0 2" ] || { "$BRAINTUNE" status "$long.json"; fail "not waiting after scancel"; }
echo ok
