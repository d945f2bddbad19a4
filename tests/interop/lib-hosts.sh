# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced by scripts of several nodes, each in a network namespace of its own.
# All are on two networks: 10.77.0.N and 10.77.1.N, N counting from 1 in the
# order of hosts().
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need ip jq
[ "$(id -u)" = 0 ] || { echo "namespaces need root"; exit 77; }
ip netns add "cw-try-$$" 2>/dev/null || { echo "no namespaces here"; exit 77; }
ip netns del "cw-try-$$"

port=7420
declare -A number=() node_pid=()
(umask 077; od -An -vtx1 -N32 /dev/urandom | tr -d ' \n' >"$work/key")

space() {
	echo "cw-$1-$$"
}

inside() { # NAME COMMAND...
	local name=$1
	shift
	ip netns exec "$(space "$name")" "$@"
}

address() { # NAME NETWORK
	echo "10.77.$2.${number[$1]}"
}

# addresses NAME: both, as `node add` takes them.
addresses() {
	echo "$(address "$1" 0):$port,$(address "$1" 1):$port"
}

new_space() {
	ip netns add "$(space "$1")"
	namespaces+=("$(space "$1")")
	ip -n "$(space "$1")" link set lo up
}

# hosts NAME...: two are joined by two cables, more by two switches.
hosts() {
	local name i far n=0
	for name; do
		n=$((n + 1))
		number[$name]=$n
		new_space "$name"
	done
	for i in 0 1; do
		if [ $# = 2 ]; then
			ip -n "$(space "$1")" link add "net$i" type veth \
				peer name "net$i" netns "$(space "$2")"
		else
			new_space "switch$i"
			ip -n "$(space "switch$i")" link add bridge0 type bridge
			ip -n "$(space "switch$i")" link set bridge0 up
		fi
		for name; do
			if [ $# != 2 ]; then
				far=$(space "switch$i")
				ip -n "$(space "$name")" link add "net$i" \
					type veth peer name "$name" netns "$far"
				ip -n "$far" link set "$name" master bridge0 up
			fi
			ip -n "$(space "$name")" addr add \
				"$(address "$name" "$i")/24" dev "net$i"
			ip -n "$(space "$name")" link set "net$i" up
		done
	done
}

# shape NAME MBIT: what it sends on each network, so that copies take a while.
shape() {
	local i
	for i in 0 1; do
		ip netns exec "$(space "$1")" tc qdisc replace dev "net$i" root \
			tbf rate "$2mbit" burst 256k latency 20ms
	done
}

link_down() { # NAME NETWORK
	ip -n "$(space "$1")" link set "net$2" down
}

link_up() { # NAME NETWORK
	ip -n "$(space "$1")" link set "net$2" up
}

# launch NAME [options of causewayd]: start its daemon; ready NAME: wait for it.
launch() {
	local name=$1
	shift
	mkdir -p "$work/$name"
	[ -f "$work/$name.yaml" ] || cat >"$work/$name.yaml" <<-END
		cluster_key: $work/key
		listen: ["$(address "$name" 0):$port", "$(address "$name" 1):$port"]
	END
	: >"$work/$name.ready"
	# A host of that name.
	# shellcheck disable=SC2016 # for the inner shell
	setsid ip netns exec "$(space "$name")" unshare --uts sh -c \
		'hostname "$0" && exec "$@"' "$name" causewayd \
		--state "$work/$name" --config "$work/$name.yaml" \
		--ready-fd 3 "$@" \
		3>"$work/$name.ready" >>"$work/$name.log" 2>&1 &
	node_pid[$name]=$!
	others+=("$!")
}

ready() {
	wait_for 25 node_up_or_dead "$1" || fail "$1 is not ready"
	[ -s "$work/$1.ready" ] || fail "$1 did not start"
}

node() { # as launch
	launch "$@"
	ready "$1"
}

node_up_or_dead() {
	[ -s "$work/$1.ready" ] || ! kill -0 "${node_pid[$1]}" 2>/dev/null
}

# end_node NAME SIGNAL
end_node() {
	local pid=${node_pid[$1]}
	kill "-$2" "$pid"
	wait_for 20 gone "$pid" || fail "$1 does not end"
	{ wait "$pid" || true; } 2>/dev/null
}

on() { # NAME COMMAND...: the command line, on a node
	local name=$1
	shift
	causeway --socket "$work/$name/control.sock" "$@"
}

# peer_state NAME PEER
peer_state() {
	on "$1" --json node show "$2" | jq -r .state
}

peer_is() { # NAME PEER STATE
	[ "$(peer_state "$1" "$2")" = "$3" ]
}

links_up() { # NAME PEER: how many
	on "$1" --json node show "$2" |
		jq '[.links[] | select(.state == "up")] | length'
}

# two_donors SIZE [memory]: alpha, and beta and gamma that each lend it a window
# `far`, kept in the file that memory() names.
two_donors() {
	local name file=()
	hosts alpha beta gamma
	for name in alpha beta gamma; do
		node $name --metrics "unix:$work/$name.metrics"
	done
	for name in beta gamma; do
		on alpha node add $name "$(addresses $name)" >/dev/null
		[ $# = 1 ] || file=(--file "$("$2" $name)")
		on $name window create far --size "$1" --allow alpha:rw \
			"${file[@]}" >/dev/null
		wait_for 10 peer_is alpha $name up || fail "$(on alpha node list)"
	done
}

# has_written NAME PEER BYTES: of the peer's memory, so many at least.
has_written() {
	[ "$(on "$1" --json node show "$2" | jq .bytes_written)" -ge "$3" ]
}
