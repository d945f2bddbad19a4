#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Metrics, read by Prometheus' own parser: every family is well formed, and
# what was moved between nodes is counted.
# shows X5 (one metrics page), M23 (counters)
. "$(dirname "$0")/lib-hosts.sh"
need curl nbdcopy
python=/usr/bin/python3
$python -c 'import prometheus_client.openmetrics.parser' 2>/dev/null ||
	{ echo "no python3-prometheus-client"; exit 77; }

page() { # NODE
	curl -sSf --unix-socket "$work/$1.metrics" http://localhost/metrics
}

# value NODE METRIC LABELS: by the parser, which reads the whole page.
value() {
	page "$1" >"$work/page"
	$python - "$work/page" "$2" "$3" <<-'END'
		import sys
		from prometheus_client.openmetrics import parser
		page, name, labels = sys.argv[1:]
		wanted = dict(l.split("=") for l in labels.split(",") if l)
		found = [s.value for f in
		         parser.text_string_to_metric_families(open(page).read())
		         for s in f.samples if s.name == name
		         and wanted.items() <= s.labels.items()]
		print(int(sum(found)) if found else "none")
	END
}

is() { # WANT NODE METRIC LABELS
	local got
	got=$(value "$2" "$3" "$4")
	[ "$got" = "$1" ] || fail "$2: $3{$4} is $got, not $1"
}

hosts alpha beta
for name in alpha beta; do
	node $name --metrics "unix:$work/$name.metrics"
done
on alpha node add beta "$(addresses beta)"
on beta window create spare --size 4M --allow alpha:rw
wait_for 10 peer_is alpha beta up || fail "beta cannot be reached"
head -c 4M /dev/urandom | on alpha window put beta/spare
on alpha window cat beta/spare --length 1M >/dev/null
state=$work/alpha
pool tank 3 64M ram
volume tank/v 32M raid5
head -c 1M /dev/urandom >"$work/in"
truncate -s 32M "$work/in"
nbdcopy "$work/in" "$uri"

# Asking for the window by name took some bytes, too.
[ "$(value alpha causeway_peer_written_bytes_total peer=beta)" -ge 4194304 ]
is 1048576 alpha causeway_peer_read_bytes_total peer=beta
[ "$(value alpha causeway_peer_operation_seconds_count peer=beta)" -ge 5 ]
is 1 alpha causeway_peer_up peer=beta
is 2 alpha causeway_link_up peer=beta
is 4194304 beta causeway_window_written_bytes_total window=spare,peer=alpha
[ "$(value beta causeway_connections_total "")" -ge 6 ]
is 0 beta causeway_connections_refused_total why=authentication
is 1 alpha causeway_pool_online pool=tank
is $((32 << 20)) alpha causeway_volume_size_bytes volume=v
[ "$(value alpha causeway_export_request_seconds_count op=write)" -gt 0 ]
[ "$(value alpha causeway_export_bytes_total op=write)" -ge 1048576 ]

# Nothing at other paths, and nothing for the network.
[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket \
	"$work/alpha.metrics" http://localhost/)" = 404 ]
end_node beta TERM
! timeout 10 ip netns exec "$(space beta)" causewayd --state "$work/beta" \
	--metrics 0.0.0.0:9100 2>"$work/err" || fail "it serves the network"
grep -q loopback "$work/err" || fail "$(cat "$work/err")"
