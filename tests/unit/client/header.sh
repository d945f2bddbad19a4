#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shows M1: the public header compiles alone, without a warning
# header.sh INCLUDE_DIR
echo 1..3
n=0
status=0
for row in 'cc c c11' 'cc c c17' 'c++ c++ c++17'; do
	# shellcheck disable=SC2086 # three words
	set -- "$1" $row
	n=$((n + 1))
	if ! command -v "$2" >/dev/null; then
		echo "ok $n - $4 # SKIP no $2"
	elif echo '#include <causeway/causeway.h>' | "$2" -x "$3" \
		-std="$4" -pedantic -Wall -Wextra -Werror -fsyntax-only \
		-I "$1" -; then
		echo "ok $n - $4"
	else
		echo "not ok $n - $4"
		status=1
	fi
done
exit $status
