# Sourced by the tests by hand in this folder: a scratch folder, a program, two nodes. Root only.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../e2e/support_slurm.sh"
: "${BRAINTUNE:=$here/../../.build/release/braintune}"
export BRAINTUNE
scratch=$(mktemp -d)
trap 'cluster_stop "$scratch/cluster"; rm -rf "$scratch"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }
say() { echo "[$(date +%T)] $*"; }

# Two hosts as two network namespaces that a cable (veth) joins, each with a name, an address and a /dev/shm of its own.
declare -A host_pid=()
make_hosts()
{
    local i
    cluster_host() { if [ "$1" -eq 0 ]; then echo hosta; else echo hostb; fi; }
    cluster_address() { echo "10.77.0.$(($1 + 1))"; }
    cluster_on() { on_host "$@"; }
    mkdir -p "$scratch/cluster"
    printf '127.0.0.1 localhost\n10.77.0.1 hosta\n10.77.0.2 hostb\n' >"$scratch/hosts"
    for i in 0 1; do
        BRAINTUNE_TEST_CLUSTER=$scratch/cluster unshare --net --uts --mount sleep infinity &
        host_pid[$i]=$!
    done
    until [ "$(readlink "/proc/${host_pid[1]}/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
    on_host 0 ip link add cable type veth peer name cable netns "${host_pid[1]}"
    for i in 0 1; do
        on_host $i hostname "$(cluster_host $i)"
        on_host $i mount -t tmpfs tmpfs /dev/shm
        on_host $i mount --bind "$scratch/hosts" /etc/hosts
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
