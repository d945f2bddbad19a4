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

cat >"$work/common" <<'EOF'
export PATH=$PATH:@BUILD@ TMPDIR=/tmp
(umask 077; echo 0123456789abcdef0123456789abcdef-secret >/tmp/key)
cat >/tmp/node.yaml <<END
node: $NAME
cluster_key: /tmp/key
listen: ["verbs:$1:7420"]
END
causewayd --state /tmp/state --config /tmp/node.yaml &
cw() {
	causeway --socket /tmp/state/control.sock "$@"
}
try() { # until it succeeds, for two minutes
	local n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 240 ] || return 1
		sleep .5
	done
}
try test -S /tmp/state/control.sock
EOF
sed -i "s#@BUILD@#$(dirname "$tests")#" "$work/common"

{
	echo 'NAME=beta'
	cat "$work/common"
	cat <<'EOF'
cw window create spare --size 4M --allow alpha:rw || exit 1
cw window create last --size 4096 --file /tmp/last --allow alpha:rw || exit 1
try grep -q GOODBYE /tmp/last
cw node show alpha
cw window list
EOF
} | rdma_initrd "$work/beta" "$(command -v causewayd)" "$(command -v causeway)"
{
	echo 'NAME=alpha'
	cat "$work/common"
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

began=$SECONDS
boot_rdma "$work/beta" 10.77.0.1 "$work/beta.log" \
	"stream,id=n0,server=on,addr.type=unix,addr.path=$work/wire" &
others+=($!)
wait_for 20 test -S "$work/wire" || fail "no first guest"
boot_rdma "$work/alpha" 10.77.0.2 "$work/alpha.log" \
	"stream,id=n0,server=off,addr.type=unix,addr.path=$work/wire"
wait "${others[0]}" || fail "beta's guest"
others=()
tr -d '\r' <"$work/alpha.log" | grep -a -A12 '^beta\|transport\|verbs:'
echo "booted, worked and powered off in $((SECONDS - began)) s"
