#!/usr/bin/env bash
# timeout: 600
# labels: slow
# processors: 1
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
logged() { grep -qs -- "$2" "$1.slurm"/logs/*; } # PLAN-STEM WHAT
says() { # WHAT COMMAND...
    local what=$1 text
    shift
    text=$("$@" 2>&1) && grep -q -- "$what" <<<"$text"
}
plan_of() { # YAML key=value ...: the plan's path without .json
    "$BRAINTUNE" plan "$@" | sed -n '1s/\.json$//p'
}
states() { # PLAN: "done running failed blocked waiting" of all tasks
    "$BRAINTUNE" status "$1" | awk '$1 == "all" { print $3, $4, $5, $6, $7 }'
}

echo "== quickstart's plan, of a small data set =="
cat >small.yaml <<END
extends: $BRAINTUNE_SOURCE/experiments/quickstart.yaml
store: store
results: results
dataset:
  simulate:
    stories: {count: 3, pretrain_count: 1, repeats: 3, seconds: 60}
    voxels: {primary_auditory: 20, language: 20, mixed: 10, "null": 10}
    model: {hidden: 16, intermediate: 24, channels: 8}
tune:
  pretrain: {epochs: 2}
  brain: {epochs: 2}
  random-brain: {random: {block: 6, apart: 2}}
resources:
  tune: {ranks: 2, time: 50s}
  features: {time: 20s}
  encode: {time: 10s, at_once: 1}
END

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
# The data set too is made by a job, and what needs it waits for that job.
cat >world.yaml <<END
extends: small.yaml
experiment: world
store: world
only: [encode.control]
figures: []
END
stem=$(plan_of world.yaml)
"$submit" "$stem.json" --profile test || fail "submit of a plan that simulates"
mapfile -t ids < <(cut -f1 "$stem.slurm/jobs")
[ "$(head -n 1 "$stem.slurm/jobs" | cut -f2)" = simulate ] || { cat "$stem.slurm/jobs"; fail "simulate is no array of its own"; }
says "Dependency=.*afterany:${ids[0]}_" scontrol show job "${ids[1]}" || fail "tune does not wait for simulate"
within 60 queue_is_empty
[ "$(states "$stem.json")" = "6 0 0 0 0" ] || { "$BRAINTUNE" status "$stem.json"; fail "not all done"; }
mkdir -p store
mv world/simulate store/
data=$(echo store/simulate/*/)

stem=$(plan_of small.yaml)
plan=$stem.json
"$submit" "$plan" --profile test --dry-run >dry 2>&1 || { cat dry; fail "dry run"; }
grep -q 'dry run: 23 tasks in 12 jobs would be submitted' dry || { cat dry; fail "dry run"; }
[ ! -e "$stem.slurm" ] && queue_is_empty || fail "a dry run left something"

mv "$data/derivative/preprocessed_data/SIM02/story01.hf5" away.hf5
"$submit" "$plan" --profile test >table || { cat table; fail submit; }
cat table
# Estimates of 50 s are not packed into 60 s, of 20 s and 10 s they are; four slots need two arrays.
diff - <(cut -f2-5 "$stem.slurm/jobs") <<END || fail "other arrays"
tune	001/tune-1.slots	0	1
tune.2	001/tune.2-2.slots	0	2
tune.2	001/tune.2-2.slots	2	2
features	001/features-3.slots	0	2
lowlevel	001/lowlevel-5.slots	0	1
encode	001/encode-4.slots	0	2
collect	001/collect-6.slots	0	1
figures	001/figures-7.slots	0	1
END
mapfile -t ids < <(cut -f1 "$stem.slurm/jobs")
for id in "${ids[0]}" "${ids[1]}" "${ids[2]}"; do
    says "Dependency=.*afterany:${id}_" scontrol show job "${ids[3]}" || fail "features do not wait for job $id"
done
says 'ArrayTaskThrottle=1 ' scontrol show job "${ids[5]}" || fail "more than one job of encode may run at once"
says 'what is left, .* tasks, is queued already' "$submit" "$plan" --profile test || fail "a second submit does not see the queue"
within 200 queue_is_empty
# Of SIM02 fail both tunings and the encodings that need no tuned model; features and encodings of its models are blocked.
[ "$(states "$plan")" = "16 0 4 4 0" ] || { "$BRAINTUNE" status "$plan"; fail "other states than 16 done, 4 failed, 4 blocked"; }
says 'SIM02/story01.hf5: not there' "$BRAINTUNE" status "$plan" || fail "status does not say why"
logged "$stem" 'at least one task failed, is blocked, or lacks inputs (3)' || fail "the log does not say what 3 means"
[ -s "$stem.slurm/logs/tune.2-${ids[2]}_1.log" ] || fail "no log of job and index"

echo "== rerun --failed, from copies of the responses =="
mv away.hf5 "$data/derivative/preprocessed_data/SIM02/story01.hf5"
mkdir node
sed -e "s,^scratch.*,scratch = $scratch/node," "$BRAINTUNE_SLURM/profiles/test.conf" >staged.conf
echo 'stage_in = responses' >>staged.conf
"$BRAINTUNE" rerun "$plan" --failed --profile ./staged.conf >table || { cat table; fail rerun; }
cat table
within 120 queue_is_empty
[ "$(states "$plan")" = "24 0 0 0 0" ] || { "$BRAINTUNE" status "$plan"; fail "not all done"; }
says 'nothing to submit for --failed' "$submit" "$plan" --profile test --failed || fail "something is left to submit"

logged "$stem" "the responses of SIM02 are in $scratch/node/" || fail "nothing was staged"
[ -z "$(ls -A node)" ] && [ -z "$(find "$stem.slurm" -name 'staged-*')" ] || fail "copies are left behind"
mkdir unstaged && cp -r store/simulate unstaged/
"$BRAINTUNE" run small.yaml store=unstaged --task 20 >log 2>&1 || { cat log; fail "the unstaged run"; } # control of SIM02
for scores in unstaged/encode/*.h5; do cmp "$scores" "store/encode/${scores##*/}" || fail "other scores from copies"; done

cat >long.yaml <<END
experiment: long
store: long
results: results
dataset: {root: $data, subjects: [SIM01]}
models: {base: $data/model}
tune:
  brain: {models: [base], objective: brain, per: subject, epochs: 40, patience: 0, window.seconds: 4, batch: 4, micro_batch: 1}
resources:
  tune: {ranks: 2, time: 50s}
END

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
