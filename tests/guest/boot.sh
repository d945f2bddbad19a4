# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced by the guest tests after interop/lib.sh: how to boot a guest.
guest=${CAUSEWAY_GUEST:-$root/build-guest}

# get_guest [full]: have kernel and busybox, or skip.
get_guest() {
	need qemu-system-x86_64 xz lz4 zstd apt-get dpkg-deb
	[ $# = 0 ] || guest+=-$1
	(
		exec 9>"$root/build-guest.lock"
		flock 9
		"$root/tests/guest/get-guest.sh" "$guest" "$@"
	) || exit $?
}

boot_in=() # words before QEMU's own, as of a network namespace

# boot INITRD "KERNEL ARGUMENTS" [QEMU arguments]: until it powers off; the
# guest's console on stdout.
boot() {
	local initrd=$1 append=$2
	shift 2
	timeout "${BOOT_SECONDS:-120}" "${boot_in[@]}" qemu-system-x86_64 \
		-machine q35 \
		-accel tcg,thread=multi -cpu max -m 384 -nodefaults \
		-no-user-config -nographic -serial stdio -monitor none \
		-no-reboot -kernel "$guest/vmlinux" -initrd "$initrd" \
		-append "console=ttyS0 panic=-1 quiet cryptomgr.notests no_timer_check $append" \
		"$@" </dev/null
}
