/* SPDX-License-Identifier: BSD-2-Clause */
/* drive/drive_spec - what the words after "drive add NAME" mean. */
#ifndef DRIVE_DRIVE_SPEC_H
#define DRIVE_DRIVE_SPEC_H

#include "base/base.h"
#include "base/err.h"

#include <limits.h>
#include <stdint.h>

#define DRIVE_SPEC_SIZE_MIN (UINT64_C(1) << 20)
#define DRIVE_SPEC_SIZE_MAX (UINT64_C(1) << 50)

enum drive_type { DRIVE_FILE, DRIVE_RAM, DRIVE_REMOTE };

struct drive_spec {
	enum drive_type type;
	uint64_t size;       /* bytes; 0: as large as the file is */
	char path[PATH_MAX]; /* DRIVE_FILE */
	/* DRIVE_REMOTE */
	char node[BASE_NAME_MAX + 1];
	char window[BASE_NAME_MAX + 1];
};

/*
 * Take `text` apart; touches nothing outside.  In a path a comma is written
 * twice.  Sizes are multiples of 4 KiB within the limits above.
 *
 * @return 0; -EINVAL with words in *e.  *out is untouched on failure.
 */
int drive_spec_parse(const char *text, struct drive_spec *out, struct err *e);

#endif /* DRIVE_DRIVE_SPEC_H */
