#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Two nodes in two guests, joined by soft-RoCE and nothing else.
# shows M20
. "$(dirname "$0")/../interop/lib.sh"
. "$(dirname "$0")/boot.sh"
. "$(dirname "$0")/rdma.sh"
get_rdma_guest

rdma_initrd "$work/server" "$tests/fabric_pair" <<EOF
$tests/fabric_pair verbs:\$1:7420
EOF
# The server's guest may boot more slowly: the client dials until it answers.
rdma_initrd "$work/client" "$tests/fabric_pair" <<EOF
$tests/fabric_pair verbs:\$1:7420 verbs:10.77.0.1:7420 5
EOF
began=$SECONDS
boot_rdma "$work/server" 10.77.0.1 "$work/server.log" \
	"stream,id=n0,server=on,addr.type=unix,addr.path=$work/wire" &
others+=($!)
wait_for 20 test -S "$work/wire" || fail "no first guest"
boot_rdma "$work/client" 10.77.0.2 "$work/client.log" \
	"stream,id=n0,server=off,addr.type=unix,addr.path=$work/wire"
wait "${others[0]}" || fail "the server's guest"
others=()
grep -a -e 'READs' -e '^verbs:' "$work/client.log" | tr -d '\r'
echo "booted, worked and powered off in $((SECONDS - began)) s"
