/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words of an operator or a configuration file that should name a drive.
 * Property: refused with words, or within the limits of the header; a file's
 * path written back with its commas doubled is taken apart the same way.
 */
#include "drive/drive_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const struct drive_spec *s, char *out)
{
	char *p = out + sprintf(out, "file:");

	for (const char *c = s->path; *c; c++) {
		if (*c == ',')
			*p++ = ',';
		*p++ = *c;
	}
	*p = '\0';
	if (s->size)
		sprintf(p, ",size=%ju", (uintmax_t)s->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char again_text[2 * PATH_MAX + 64];
	static struct drive_spec s, again;
	struct err e = { 0 };
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	if (drive_spec_parse(text, &s, &e)) {
		if (!e.code || !e.text[0])
			abort();
	} else {
		if (s.size && (s.size < DRIVE_SPEC_SIZE_MIN ||
		               s.size > DRIVE_SPEC_SIZE_MAX || s.size % 4096))
			abort();
		if (s.type == DRIVE_REMOTE) {
			sprintf(again_text, "remote:%s/%s", s.node, s.window);
			if (strcmp(again_text, text) != 0)
				abort();
		}
		if (s.type == DRIVE_FILE) {
			write_again(&s, again_text);
			if (drive_spec_parse(again_text, &again, &e) ||
			    again.size != s.size ||
			    strcmp(again.path, s.path) != 0)
				abort();
		}
	}
	free(text);
	return 0;
}
