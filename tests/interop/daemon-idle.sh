#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# An idle node with 100 volumes and a client that says nothing uses under
# 0.5 % of a core over 10 s and at most 64 MiB + 1 MiB per volume.
. "$(dirname "$0")/lib.sh"
need jq
need_python_nbd
CAUSEWAY_BUILD=${CAUSEWAY_BUILD:-$root/build} "$root/bench/idle"
