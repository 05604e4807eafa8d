# Sourced by the tests by hand in this folder: a scratch folder, a plan that takes two nodes, hosts made of namespaces.
# They want root, slurm-wlm, munge, iproute2 and a release build (or BRAINTUNE), and say what they see.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../e2e/support_slurm.sh"
: "${BRAINTUNE:=$here/../../.build/release/braintune}"
BRAINTUNE=$(realpath "$BRAINTUNE")
submit=$here/../../slurm/submit
export BRAINTUNE OMP_NUM_THREADS=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
scratch=$(mktemp -d)
trap 'cluster_stop "$scratch/cluster"; rm -rf "$scratch"' EXIT
cd "$scratch"

fail() { echo "FAILED: $*" >&2; exit 1; }
say() { echo "[$(date +%T)] $*"; }
within() { # SECONDS COMMAND...: until it succeeds
    local until=$((SECONDS + $1))
    shift
    while ! "$@"; do
        [ "$SECONDS" -lt "$until" ] || { tail -n 20 */plans/*/logs/* >&2; fail "not within its time: $*"; }
        sleep 0.2
    done
}
queue_is_empty() { [ -z "$(cluster_on 0 squeue -h)" ]; }
logged() { grep -qs -- "$2" "$1"/plans/*.slurm/logs/*; } # STORE WHAT

# plan.yaml: one model tuned on two ranks, its features and scores. STORE's name is the experiment's.
make_plan() # STORE EPOCHS
{
    [ -d data ] || "$BRAINTUNE" simulate seed=5 stories.count=3 stories.seconds=60 stories.repeats=3 subjects.count=1 \
        voxels.primary_auditory=6 voxels.language=6 voxels.mixed=3 voxels.null=6 \
        model.hidden=16 model.blocks=2 model.heads=2 model.intermediate=24 model.channels=8 out=data >log 2>&1 || { cat log; fail simulate; }
    cat >"$1.yaml" <<END
experiment: $1
store: $1
results: $1-results
dataset:
  root: data
  subjects: [SIM01]
  stories: {tune: [story01, story02], validate: [story03], encode: [story01, story02, story03], test: [test01]}
models: {small: data/model}
tune:
  brain: {models: [small], objective: brain, per: subject, epochs: $2, patience: 0, checkpoint.steps: 20,
    window.seconds: 4, batch: 4, micro_batch: 1}
encode:
  alignment: {models: [brain], features: {window.context: 2, window.stride: 0.5}}
resources:
  tune: {ranks: 2}
END
}

# profile.conf: the tests' own, for nodes of one core, with the launcher named.
make_profile() # mpirun|srun
{
    sed -e "s/^launcher.*/launcher = $1/" -e 's/^cores_per_node.*/cores_per_node = 1/' "$here/../../slurm/profiles/test.conf" >profile.conf
}

# Two hosts as two network namespaces that a cable (veth) joins, each with a name, an address and a /dev/shm of its own.
host_pid=()
make_hosts()
{
    local i
    cluster_host() { if [ "$1" -eq 0 ]; then echo hosta; else echo hostb; fi; }
    cluster_address() { echo "10.77.0.$(($1 + 1))"; }
    cluster_on() { on_host "$@"; }
    mkdir "$scratch/cluster"
    printf '127.0.0.1 localhost\n10.77.0.1 hosta\n10.77.0.2 hostb\n' >hosts
    for i in 0 1; do
        BRAINTUNE_TEST_CLUSTER=$scratch/cluster unshare --net --uts --mount sleep infinity &
        host_pid+=($!)
    done
    until [ "$(readlink "/proc/${host_pid[0]}/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ] &&
        [ "$(readlink "/proc/${host_pid[1]}/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; do sleep 0.1; done
    on_host 0 ip link add cable type veth peer name cable netns "${host_pid[1]}"
    for i in 0 1; do
        on_host $i hostname "$(cluster_host $i)"
        on_host $i mount -t tmpfs tmpfs /dev/shm
        on_host $i mount --bind hosts /etc/hosts
        on_host $i ip addr add "$(cluster_address $i)/24" dev cable
        on_host $i ip link set lo up
        on_host $i ip link set cable up
    done
}

on_host() # I COMMAND...
{
    local pid=${host_pid[$1]}
    shift
    nsenter -t "$pid" --net --uts --mount --wd="$PWD" "$@"
}

# The same by two ranks on this machine alone: what the nodes made must be equal to it, byte for byte.
compare_with_one_machine() # STORE
{
    mpirun --quiet --oversubscribe -n 2 "$BRAINTUNE" run "$1.yaml" store=alone --stage tune >log 2>&1 || { cat log; fail "the run on this machine"; }
    diff -r -q -x '*.run.json' "$1/tune" alone/tune || fail "other numbers than on one machine"
}
