# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# Sourced by tests in which the kernel of this machine swaps to nodes of
# theirs.
. "$(dirname "${BASH_SOURCE[0]}")/lib-hosts.sh"
[ -w /dev/fuse ] || { echo "no FUSE here"; exit 77; }
[ -w /dev/loop-control ] || { echo "no loop devices here"; exit 77; }
tests=${CAUSEWAY_BUILD:-$root/build}/tests

# Whatever happens, the kernel does not swap to something that is gone.
end_swap() {
	local status=$?
	set +e
	[ $status -eq 0 ] || on alpha --json swap status >"$work/status.log" 2>&1
	on alpha swap off >/dev/null 2>&1 || [ -z "$device" ] ||
		swapoff "$device" 2>/dev/null
	[ $status -eq 0 ] || cp "$work/alpha/swap.log" "$work/" 2>/dev/null
	(exit $status)
	clean
}
device=
trap end_swap EXIT

says -E ' cgroup2 | cgroup .*[ ,]memory[ ,]' </proc/mounts ||
	{ echo "no memory cgroup is mounted"; exit 77; }

# What a run that was killed left on: nobody serves it, and it would be taken
# for ours.
while causeway --socket "$work/control.sock" swap off 2>/dev/null; do :; done

# swap_on WORDS...: on alpha; $device is what the kernel swaps to.
swap_on() {
	on alpha swap on "$@" 2>"$work/said" || {
		grep -q 'not permitted' "$work/said" &&
			{ echo "no swapon here"; exit 77; }
		fail "$(cat "$work/said")"
	}
	device=$(on alpha --json swap status | jq -r .device)
}
