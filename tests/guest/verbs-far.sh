#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Far memory over RDMA: what one guest swaps out goes to the memory of another
# by soft-RoCE, and comes back as it was.
# shows S6, S13
. "$(dirname "$0")/../interop/lib.sh"
. "$(dirname "$0")/boot.sh"
. "$(dirname "$0")/rdma.sh"
get_rdma_guest
rdma_modules=(fuse loop)

{
	node_script beta
	cat <<'EOF'
cw window create far --size 32M --allow alpha:rw || exit 1
cw window create last --size 4096 --file /tmp/last --allow alpha:rw || exit 1
try grep -q GOODBYE /tmp/last
# Its adapter did it: no bytes of pages went through its processes.
cw --json node show alpha | sed -n '/"served"/,$p' >/tmp/served
cat /tmp/served
for what in read written; do
	[ "$(sed -n "s/.*\"bytes_$what\": \([0-9]*\).*/\1/p" /tmp/served)" -lt 4096 ] || exit 1
done
EOF
} | rdma_initrd "$work/beta" "$(command -v causewayd)" "$(command -v causeway)"
{
	node_script alpha
	cat <<'EOF'
number() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -n 1; }
pages() { # read or write
	cw --json swap status | sed -n "/\"$1\": {/,/}/p" | number pages
}
cw node add beta verbs:10.77.0.1:7420 || exit 1
try cw window cat beta/far --length 1 >/dev/null
mount -t tmpfs -o size=16M far /mnt || exit 1
mount -t cgroup2 cgroup /sys/fs/cgroup || exit 1
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/far
cw swap on --size 24M --donor beta/far --copies 1 2>/tmp/said || exit 1
# So small a guest keeps too little back for packets.
grep -q 'sysctl vm.min_free_kbytes=32768' /tmp/said || exit 1
sh -c 'echo $$ >/sys/fs/cgroup/far/cgroup.procs
	dd if=/dev/urandom of=/mnt/data bs=1048576 count=8 2>/dev/null'
sha256sum /mnt/data >/tmp/before
# It tries until nothing is left to go, and says that that was less.
echo 16M >/sys/fs/cgroup/far/memory.reclaim 2>/dev/null
[ "$(cw --json swap status | number used)" -gt 4194304 ] || exit 1
sha256sum -c /tmp/before || exit 1
cw swap status
[ "$(pages write)" -gt 1000 ] && [ "$(pages read)" -gt 256 ] || exit 1
cw swap off || exit 1
sha256sum -c /tmp/before || exit 1
cw node show beta | grep -q verbs || exit 1
echo GOODBYE | cw window put beta/last || exit 1
EOF
} | rdma_initrd "$work/alpha" "$(command -v causewayd)" "$(command -v causeway)"
boot_both
tr -d '\r' <"$work/alpha.log" | grep -a -A3 '^/dev/loop0:'
tr -d '\r' <"$work/beta.log" | grep -a -A6 '"served"'
