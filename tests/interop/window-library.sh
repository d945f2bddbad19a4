#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# libcauseway as its users have it: the examples, built by pkg-config alone and
# in Python, within a node and between two hosts.
# shows M1, M3, M6, M7, M12, M15, M19, M22
. "$(dirname "$0")/lib-hosts.sh"
need cc pkg-config python3

build=${CAUSEWAY_BUILD:-$root/build}
export PKG_CONFIG_PATH=$build/meson-uninstalled
export LD_LIBRARY_PATH=$build
export CAUSEWAY_LIBRARY=$build/libcauseway.so
# shellcheck disable=SC2046 # several words
cc -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Werror -o "$work/share" \
	"$root/examples/share.c" $(pkg-config --cflags --libs causeway-uninstalled)

# shellcheck disable=SC2034 # by name
c=("$work/share")
# shellcheck disable=SC2034
py=(python3 "$root/examples/share.py")

at() { # NODE COMMAND...: with the bridge of that node
	local name=$1
	shift
	CAUSEWAY_WINDOW_SOCKET=$work/$name/window.sock "$@"
}

# visit OWNER HOW USER HOW: memory of OWNER is used by a process of USER.
visit() {
	local owner=$1 user=$3 node identity line
	local -n lend=$2 use=$4
	mkfifo "$work/in" "$work/out" "$work/lent"
	at "$user" "${use[@]}" use <"$work/in" >"$work/out" &
	local user_pid=$!
	exec 7>"$work/in" 8<"$work/out"
	read -r node identity <&8
	[ "$node" = "$user" ] || fail "it says that it is on $node"
	at "$owner" "${lend[@]}" lend "$node" "$identity" >"$work/lent" &
	local owner_pid=$!
	exec 9<"$work/lent"
	read -r line <&9
	# Nobody else gets in, though he has the line.
	! echo "$line" | at "$user" "${use[@]}" use >/dev/null 2>"$work/err" ||
		fail "a thief got in"
	grep -q 'no such key, or not for this process' "$work/err" ||
		fail "the thief is told: $(cat "$work/err")"
	echo "$line" >&7
	read -r line <&8
	[ "$line" = "it says: memory of $owner" ] || fail "user: $line"
	read -r line <&9
	[[ $line == "visitor 1 wrote: hello from $user" ]] || fail "owner: $line"
	wait $user_pid $owner_pid || fail "$* failed"
	exec 7>&- 8<&- 9<&-
	rm "$work/in" "$work/out" "$work/lent"
}

hosts alpha beta
node alpha
node beta
on alpha node add beta "$(addresses beta)"
wait_for 10 peer_is alpha beta up || fail "$(on alpha node show beta)"
wait_for 10 peer_is beta alpha up || fail "$(on beta node list)"

visit alpha c alpha c
visit alpha py alpha c
visit beta c alpha c
visit beta c alpha py
visit alpha py beta c # the roles are swapped

# A window that an operator made, from a program.
on beta window create scratch --size 1M --allow alpha:rw
printf 'from the shell' | on alpha window put beta/scratch
PYTHONPATH=$root/examples at alpha python3 - <<'END'
import causeway

with causeway.Context() as c:
    memory, queue = c.region(1 << 16), c.queue(8)
    window = c.open_window("beta/scratch")
    queue.read(memory, window, 14).wait()
    assert bytes(memory.data[:14]) == b"from the shell"
    memory.data[:4] = b"back"
    queue.write(memory, window, 4, offset=100).wait()
    try:
        queue.read(memory, window, 8, offset=1 << 20).wait()
        raise SystemExit("it read past the end")
    except causeway.CommandError as e:
        assert e.status == 3, e
    assert queue.counter == 2
    (_, status, culprit, key), = queue.errors()
    assert (status, culprit) == (3, 2) and str(key) == str(window.key)
    try:
        c.open_window("beta/nosuch")
        raise SystemExit("it opened what is not there")
    except FileNotFoundError:
        pass
END
[ "$(on alpha window cat beta/scratch --offset 100 --length 4)" = back ]

# The bridge goes away under a program: it is told.
cat >"$work/left.py" <<'END'
import causeway

with causeway.Context() as c:
    memory, queue = c.region(4096), c.queue(2)
    print("ready", flush=True)
    try:
        while True:
            queue.reap(1000)
    except BrokenPipeError:
        print("told")
END
mkfifo "$work/left"
PYTHONPATH=$root/examples at alpha python3 "$work/left.py" >"$work/left" &
exec 7<"$work/left"
read -r line <&7
end_node alpha KILL
read -r line <&7
[ "$line" = told ] || fail "nobody said that the bridge is gone"
wait $!
