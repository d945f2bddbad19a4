#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# RDMA for real: what every lane must do, over soft-RoCE in a guest; by SENDs
# alone, then by RDMA.
# shows M20
. "$(dirname "$0")/../interop/lib.sh"
. "$(dirname "$0")/boot.sh"
. "$(dirname "$0")/rdma.sh"
get_rdma_guest

rdma_initrd "$work/initrd" "$tests/fabric_test_lane" \
	"$tests/fabric_test_verbs" <<EOF
for kind in verbs-send verbs; do
	$tests/fabric_test_lane \$kind || exit 1
done
$tests/fabric_test_verbs || exit 1
EOF
began=$SECONDS
boot_rdma "$work/initrd" 10.77.0.1 "$work/guest.log" hubport,id=n0,hubid=0
echo "booted, worked and powered off in $((SECONDS - began)) s"
