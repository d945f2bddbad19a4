#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What an operator is told of damaged metadata: each kind in a label, in the
# log and in the image of a checkpoint, on drives that are files.  The offsets
# are those of docs/format-label.md and docs/format-meta.md.
# shows V26 (metadata), V11 (a missing member is reported)
. "$(dirname "$0")/lib.sh"
need jq python3
need_python_nbd

block=4096
last=$((64 * 1024 * 1024 - block)) # the second label
root=8192 # the second, which a new pool uses
log=12288

start_daemon
for f in d1 d2 d3 x1 x2; do # not made anew when they are away
	truncate -s 64M "$work/$f.img"
	cw drive add $f "file:$work/$f.img" >/dev/null
done
cw pool create other x1 x2 >/dev/null
cw pool create tank d1 d2 d3 >/dev/null
volume tank/vol 32M raid1
$python - "$uri" <<'PY'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
for i in range(20):  # a commit each
    h.pwrite(bytes([i + 1]) * 4096, i << 16)
    h.flush()
PY
kill_daemon
for f in d1 d2 d3 x1 x2; do
	cp "$work/$f.img" "$work/$f.kept"
done

put() { # FILE OFFSET FROM OFFSET: a block
	dd if="$work/$3" of="$work/$1.img" bs=$block count=1 conv=notrunc \
		skip=$(($4 / block)) seek=$(($2 / block)) status=none
}
rot() { # FILE OFFSET...: a bit of each block
	python3 - "$work/$1.img" "${@:2}" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    for at in map(int, sys.argv[2:]):
        f.seek(at + 200)
        byte = f.read(1)[0]
        f.seek(at + 200)
        f.write(bytes([byte ^ 1]))
PY
}
with_damage() { # then the daemon runs on it
	: >"$work/causewayd.log"
	start_daemon
}
mend() {
	stop_daemon
	for f in d1 d2 d3 x1 x2; do
		cp "$work/$f.kept" "$work/$f.img"
	done
}
drive() { # NAME FIELD
	cw --json drive list |
		jq -r ".drives[] | select(.name == \"$1\") | .$2"
}
pool_is() { # STATE WORDS: also in the status for people
	[ "$(status '.pools[] | select(.name == "tank") | .state')" = "$1" ] ||
		fail "the pool is not $1: $(cw status)"
	{ cw status || true; } | says "why:.*$2" ||
		fail "status does not say '$2': $(cw status)"
}
reads_back() { # through the export, which the state file kept
	$python - "$uri" <<'PY'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
for i in range(20):
    assert h.pread(4096, i << 16) == bytes([i + 1]) * 4096, i
PY
}

# One bad copy of a label: all works, the log says which and how.
rot d2 0
put d3 0 d3.kept $last
with_damage
[ "$(status '.pools[] | select(.name == "tank") | .state')" = online ] ||
	fail "one bad copy of a label: $(cw status)"
grep -q 'label.*drive=d2 offset=0 damage="rotten' "$work/causewayd.log"
grep -q 'label.*drive=d3 offset=0 damage="misplaced' "$work/causewayd.log"
reads_back
mend

# Both: that drive is out, and says why; data come from the others.
rot d2 0 $last
with_damage
pool_is degraded 'drive d2.*is damaged.*rotten'
[ "$(drive d2 state)" = damaged ] || fail "d2 is $(drive d2 state)"
reads_back
mend
put d2 0 d2.kept $last
put d2 $last d2.kept 0
with_damage
pool_is degraded 'drive d2.*is damaged.*misplaced'
mend

# Another pool's drive in its place.
cp "$work/x2.img" "$work/d2.img"
rm "$work/x2.img" # it is that one
with_damage
pool_is degraded 'not all of its drives'
[ "$(drive d2 pool)" = other ] || fail "d2 is in pool $(drive d2 pool)"
[ "$(drive x2 state)" = missing ] || fail "x2 is $(drive x2 state)"
mend

# A drive that was away while the others went on.
rm "$work/d2.img"
with_damage
pool_is degraded 'drive d2.*missing'
stop_daemon
cp "$work/d2.kept" "$work/d2.img"
with_damage
pool_is degraded 'drive d2.*is stale.*its data are old'
reads_back
mend

# The log and the image on every drive: the pool stays down, and says where,
# what and on which drives; with one good copy left it works.
image=$(python3 - "$work/d1.kept" <<'PY'
import struct, sys
with open(sys.argv[1], "rb") as f:
    label = f.read(4096)
    roots = struct.unpack_from("<Q", label, 168)[0]
    images = [struct.unpack_from("<Q", label, at)[0] for at in (192, 208)]
    f.seek(roots)
    root = max(f.read(4096), f.read(4096), key=lambda b: b[16:24][::-1])
    print(images[struct.unpack_from("<I", root, 64 + 16)[0]])
PY
)
for place in "$log log" "$image image"; do
	at=${place% *} name=${place#* }
	for kind in rot misplaced foreign; do
		for i in 1 2 3; do
			case $kind in
			rot) rot d$i "$at" ;;
			misplaced) put d$i "$at" d$i.kept $((log + block)) ;;
			foreign) put d$i "$at" x1.kept $root ;;
			esac
		done
		with_damage
		pool_is offline "block 0 of the $name.*d1: $kind, d2: $kind, d3: $kind"
		stop_daemon
		put d3 "$at" d3.kept "$at"
		with_damage
		reads_back
		mend
	done
done
