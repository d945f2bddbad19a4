#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Two nodes whose links are TLS: the operator writes tls: before an address,
# and a link that is not TLS does not come up at such a port.
# shows X5 (the transport in use is shown)
. "$(dirname "$0")/lib-hosts.sh"

tls() { # NAME: its addresses
	echo "tls:$(address "$1" 0):$port,tls:$(address "$1" 1):$port"
}

hosts alpha beta
for name in alpha beta; do
	cat >"$work/$name.yaml" <<-END
		cluster_key: $work/key
		listen: ["tls:$(address $name 0):$port", "tls:$(address $name 1):$port"]
	END
	node $name
done
on alpha node add beta "$(tls beta)"
wait_for 10 peer_is alpha beta up || fail "$(on alpha node show beta)"
[ "$(on alpha --json node show beta | jq -r .transport)" = tls ] ||
	fail "$(on alpha node show beta)"
wait_for 10 peer_is beta alpha up || fail "beta does not call back by TLS"
head -c 8M /dev/urandom >"$work/in"
on beta window create spare --size 8M --allow alpha:rw
on alpha window put beta/spare <"$work/in"
link_down alpha 1
on alpha window cat beta/spare | cmp - "$work/in" || fail "other bytes"

# The same port without TLS: no link.  Both are down for a moment, so that
# neither learns the other's TLS addresses from it.
link_up alpha 1
on alpha node remove beta
end_node beta TERM
end_node alpha TERM
node beta
node alpha
on alpha node add beta "$(addresses beta)"
sleep 1.5
! peer_is alpha beta up || fail "a link without TLS came up"
