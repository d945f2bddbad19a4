#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tools/dev demo [--keep]: the main job on real files, start to end.
#
# A node with six drives, a thin RAID-5 volume and an NBD export takes in a
# file system of this machine's own files.  A drive fails, the slow stack is
# killed; what comes out must be what went in, bit for bit.  Then two hosts
# share their drives (demo-hosts.sh).
# shellcheck source=../tests/interop/lib.sh
. "$(dirname "$0")/../tests/interop/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
case ${1:-} in
'') ;;
--keep) keep=1 ;;
*) echo "usage: tools/dev demo [--keep]" >&2; exit 2 ;;
esac

say() {
	printf '%5.1f s  %s\n' "$(since "$began")" "$*"
}

now() {
	date +%s.%N
}

since() {
	awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'
}

sum() {
	sha256sum | cut -d' ' -f1
}

# rate BYTES SECONDS
rate() {
	awk -v b="$1" -v s="$2" 'BEGIN { printf "%.0f MiB/s", b / s / 1048576 }'
}

iops() { # NAME fio's options: prints operations per second
	local name=$1
	shift
	fio --name="$name" --ioengine=nbd --uri="$scratch_uri" --bs=4k \
		--size=64M --iodepth=32 --time_based --runtime=3 \
		--randrepeat=0 --output-format=json "$@" >"$work/$name.json"
	jq -r '.jobs[0] | .read.iops + .write.iops | round' \
		<(sed -n '/^{/,$p' "$work/$name.json")
}

began=$(now)
start_daemon
say "a node runs: fast stack $(process fast), slow stack $(process slow)"

size=$((384 << 20))
pool disk 6 512M
volume disk/scratch $size raid5
scratch_uri=$uri
volume disk/files $size raid5
say "six drives of 512 MiB, a pool, two thin RAID-5 volumes, exported by NBD"

# A real file system, about 256 MiB of the files of this machine.
mkdir "$work/tree"
find /usr/share /usr/lib /usr/bin -xdev -type f -readable -size -8M \
	-printf '%s %P\t%H/%P\n' 2>/dev/null |
	awk -F'\t' '(total += $1 + 4096) < 256 * 1048576 { print $2 }' |
	sed 's,^/,,' >"$work/list"
tar -C / --verbatim-files-from -T "$work/list" -cf - |
	tar -C "$work/tree" -xf -
mke2fs -q -t ext4 -i 4096 -d "$work/tree" "$work/image" \
	$((size >> 20))M >/dev/null
files=$(wc -l <"$work/list")
went_in=$(sum <"$work/image")
say "a file system of $files files of this machine: ${went_in:0:16}..."

at=$(now)
nbdcopy --flush "$work/image" "$uri"
copy_in=$(rate $size "$(since "$at")")
say "copied in by nbdcopy: $copy_in"

fio_nbd fill "$scratch_uri" --rw=write --bs=128k --size=64M
read_whole=$(iops read --rw=randread)
write_whole=$(iops write --rw=randwrite)
say "4 KiB, depth 32: $read_whole random reads/s, $write_whole writes/s"

cw drive fail disk3 >/dev/null
code=0
cw status >/dev/null || code=$?
[ "$code" = 4 ] || fail "status should exit 4 (degraded), not $code"
say "drive disk3 has failed; the pool is degraded and goes on"

old=$(process slow)
kill -KILL "$old"
at=$(now)
wait_for 10 slow_is_back "$old" || fail "the slow stack did not come back"
took=$(since "$at")
say "slow stack $old killed; $(process slow) took over in $took s"

read_degraded=$(iops read --rw=randread)
write_degraded=$(iops write --rw=randwrite)
say "degraded: $read_degraded random reads/s, $write_degraded writes/s"

at=$(now)
nbdcopy "$uri" "$work/copy"
copy_out=$(rate $size "$(since "$at")")
came_out=$(sum <"$work/copy")
say "copied out: $copy_out"
[ "$went_in" = "$came_out" ] ||
	fail "MISMATCH: $went_in went in, $came_out came out"
e2fsck -fn "$work/copy" >"$work/e2fsck.log" 2>&1 ||
	fail "e2fsck found damage"
say "same checksum, and e2fsck finds the file system clean"

cat <<EOF

  file system   $files files, $((size >> 20)) MiB, sha256 ${went_in:0:16}...
  copy in       $copy_in
  copy out      $copy_out, with a drive failed
  4 KiB reads   $read_whole/s whole, $read_degraded/s degraded
  4 KiB writes  $write_whole/s whole, $write_degraded/s degraded
  happened      one of six drives failed, the slow stack was killed
  result        bit for bit the same

EOF
for part in hosts far; do
	code=0
	"$(dirname "$0")/demo-$part.sh" || code=$?
	[ "$code" = 0 ] || [ "$code" = 77 ] || exit "$code"
	[ "$code" = 0 ] ||
		echo "(the part with several hosts needs root and namespaces)"
	echo
done
if [ -n "$keep" ]; then
	rm -rf "$work"/{tree,image,copy,list}
	cat <<EOF

The node goes on running (process $daemon_pid). Try:
  $root/build/causeway --socket $state/control.sock status
  $root/build/causeway --socket $state/control.sock volume list
  nbdinfo '$uri'
  nbdcopy '$uri' /tmp/copy-of-files
Stop it with:  kill $daemon_pid; rm -r $work
EOF
fi
