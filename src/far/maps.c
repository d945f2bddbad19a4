/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/maps.h"

#include "base/base.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool maps_decode(const char *line, struct maps_line *out)
{
	struct maps_line m = { 0 };
	char perms[5], name[16] = "";

	if (sscanf(line,
	           "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64 " %15s",
	           &m.start, &m.end, perms, &m.inode, name) < 4)
		return false;
	if (m.start >= m.end || strlen(perms) != 4)
		return false;
	m.readable = perms[0] == 'r';
	m.writable = perms[1] == 'w';
	m.shared = perms[3] == 's';
	strcpy(m.name, name);
	*out = m;
	return true;
}

bool maps_is_capturable(const struct maps_line *m)
{
	if (!m->readable || !m->writable || m->shared || m->inode)
		return false;
	return m->name[0] == '\0' || strcmp(m->name, "[heap]") == 0 ||
	       strncmp(m->name, "[anon:", 6) == 0;
}

bool maps_is_swappable(const struct maps_line *m)
{
	static const char *const shmem[] = { "/memfd:", "/dev/shm/",
		                             "/dev/zero", "/SYSV" };

	for (size_t i = 0; i < ARRAY_LEN(shmem); i++)
		if (m->shared && m->writable &&
		    strncmp(m->name, shmem[i], strlen(shmem[i])) == 0)
			return true;
	return maps_is_capturable(m);
}

int maps_read(pid_t pid, void (*visit)(void *ctx, const struct maps_line *m),
              void *ctx)
{
	char path[32], *line = NULL;
	struct maps_line m;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0)
		if (maps_decode(line, &m))
			visit(ctx, &m);
	free(line);
	fclose(f);
	return 0;
}
