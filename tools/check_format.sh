#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every C file looks as clang-format 14 writes it: tools/dev fmt mends.
cd "$(dirname "$0")/.." || exit 1
command -v clang-format-14 >/dev/null || { echo "no clang-format-14"; exit 77; }
find src include tests fuzz bench examples -name '*.[ch]' -print0 2>/dev/null |
	xargs -0 -r clang-format-14 --dry-run --Werror
