#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The finished programs in two guests, with soft-RoCE between them: a window
# of one is written and read from the other by RDMA.
# shows M20, M24
. "$(dirname "$0")/../interop/lib.sh"
. "$(dirname "$0")/boot.sh"
. "$(dirname "$0")/rdma.sh"
get_rdma_guest

{
	node_script beta
	cat <<'EOF'
cw window create spare --size 4M --allow alpha:rw || exit 1
cw window create last --size 4096 --file /tmp/last --allow alpha:rw || exit 1
try grep -q GOODBYE /tmp/last
cw node show alpha
cw window list
EOF
} | rdma_initrd "$work/beta" "$(command -v causewayd)" "$(command -v causeway)"
{
	node_script alpha
	cat <<'EOF'
peer() { cw node show beta 2>&1 | grep -q "$1"; }
cw node add beta verbs:10.77.0.1:7420 || exit 1
try peer ' up'
try cw window cat beta/spare --length 1 >/dev/null
dd if=/dev/urandom of=/tmp/in bs=1048576 count=4 2>/dev/null
cw window put beta/spare </tmp/in || exit 1
cw window cat beta/spare >/tmp/out || exit 1
cmp /tmp/in /tmp/out || exit 1
cw node show beta
peer verbs || exit 1
echo GOODBYE | cw window put beta/last || exit 1
EOF
} | rdma_initrd "$work/alpha" "$(command -v causewayd)" "$(command -v causeway)"

boot_both
tr -d '\r' <"$work/alpha.log" | grep -a -A12 '^beta\|transport\|verbs:'
