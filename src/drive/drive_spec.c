/* SPDX-License-Identifier: BSD-2-Clause */
#include "drive/drive_spec.h"

#include "base/base.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define HELP "write file:PATH[,size=SIZE], ram:SIZE or remote:NODE/WINDOW"

/* Bytes of the operator's words that an error repeats. */
#define SHOWN 96

static const char *after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static int parse_size(const char *text, uint64_t *size, struct err *e)
{
	uint64_t bytes;

	if (base_parse_size(text, &bytes))
		return err_set(e, -EINVAL,
		               "\"%.*s\" is not a size of a drive: write a "
		               "number of bytes, or one with k, M, G or T, "
		               "such as 10G",
		               SHOWN, text);
	if (bytes < DRIVE_SPEC_SIZE_MIN || bytes > DRIVE_SPEC_SIZE_MAX)
		return err_set(e, -EINVAL,
		               "a drive of %.*s is too %s: choose a size from "
		               "1M to 1024T",
		               SHOWN, text,
		               bytes < DRIVE_SPEC_SIZE_MIN ? "small" : "large");
	if (bytes % 4096)
		return err_set(e, -EINVAL,
		               "a drive cannot have %ju bytes, for that is no "
		               "multiple of 4096: choose %ju",
		               (uintmax_t)bytes,
		               (uintmax_t)(bytes / 4096 * 4096));
	*size = bytes;
	return 0;
}

/*
 * Copy a path up to its end or the first single comma.  @return what follows
 * the path (at the comma or the NUL); NULL if it is too long.
 */
static const char *copy_path(const char *text, char path[PATH_MAX])
{
	size_t n = 0;

	while (*text && !(text[0] == ',' && text[1] != ',')) {
		if (n == PATH_MAX - 1)
			return NULL;
		path[n++] = *text;
		text += *text == ',' ? 2 : 1;
	}
	path[n] = '\0';
	return text;
}

static int parse_file(const char *text, struct drive_spec *s, struct err *e)
{
	const char *rest = copy_path(text, s->path);
	const char *value;

	if (!rest)
		return err_set(e, -EINVAL,
		               "the path of a file drive is longer than %d "
		               "bytes: use a shorter one, or a symbolic link",
		               PATH_MAX - 1);
	if (!s->path[0])
		return err_set(e, -EINVAL, "a file drive needs a path: " HELP);
	if (!*rest)
		return 0;
	value = after(rest, ",size=");
	if (!value)
		return err_set(e, -EINVAL,
		               "\"%.*s\" is no option of a file drive: the "
		               "only one is size=SIZE; a comma in a path is "
		               "written twice",
		               SHOWN, rest + 1);
	return parse_size(value, &s->size, e);
}

static bool copy_name(const char *text, size_t n, char name[BASE_NAME_MAX + 1])
{
	if (!base_is_name(text, n))
		return false;
	memcpy(name, text, n);
	name[n] = '\0';
	return true;
}

static int parse_remote(const char *text, struct drive_spec *s, struct err *e)
{
	size_t n = strcspn(text, "/");

	if (!text[n] || !copy_name(text, n, s->node) ||
	    !copy_name(text + n + 1, strlen(text + n + 1), s->window))
		return err_set(e, -EINVAL,
		               "\"%.*s\" is no window of another node: write "
		               "remote:NODE/WINDOW, as in remote:beta/spare",
		               SHOWN, text);
	return 0;
}

int drive_spec_parse(const char *text, struct drive_spec *out, struct err *e)
{
	struct drive_spec s = { 0 };
	const char *rest;
	int err;

	if ((rest = after(text, "file:"))) {
		s.type = DRIVE_FILE;
		err = parse_file(rest, &s, e);
	} else if ((rest = after(text, "ram:"))) {
		s.type = DRIVE_RAM;
		err = parse_size(rest, &s.size, e);
	} else if ((rest = after(text, "remote:"))) {
		s.type = DRIVE_REMOTE;
		err = parse_remote(rest, &s, e);
	} else {
		err = err_set(e, -EINVAL, "\"%.*s\" names no drive: " HELP,
		              SHOWN, text);
	}
	if (!err)
		*out = s;
	return err;
}
