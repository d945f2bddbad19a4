/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What memory a program has, from /proc/PID: which ranges can be captured,
 * which of their pages are there, and how much it is in all.
 *
 * A range is registered before it is scanned, so that no page is known that
 * the program could drop unnoticed.
 */
#include "far/maps.h"
#include "far/pager_priv.h"
#include "far/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES 512u /* of pagemap at a time */
#define LOOKS 64u    /* of these without a pause: under a millisecond */

/* Linux, Documentation/admin-guide/mm/pagemap.rst. */
#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_FILE (UINT64_C(1) << 61)
#define PM_EXCLUSIVE (UINT64_C(1) << 56)

uint64_t far_scan_rss(pid_t pid)
{
	unsigned long size, resident, shared;
	char path[32], text[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3 ||
	    shared > resident)
		return 0;
	return (resident - shared) * FAR_PAGE;
}

/* -- ranges ---------------------------------------------------------------- */

static bool is_known(const struct space *s, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < s->n_ranges; i++)
		if (s->range[i].start <= start && end <= s->range[i].end)
			return true;
	return false;
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = ((const struct space_range *)a)->start;
	uint64_t y = ((const struct space_range *)b)->start;

	return x < y ? -1 : x > y;
}

/* Sorted, and what touches or overlaps made one. */
static void tidy(struct space *s)
{
	size_t n = 0;

	qsort(s->range, s->n_ranges, sizeof(s->range[0]), by_start);
	for (size_t i = 0; i < s->n_ranges; i++) {
		struct space_range *last = n ? &s->range[n - 1] : NULL;

		if (last && s->range[i].start <= last->end) {
			if (s->range[i].end > last->end)
				last->end = s->range[i].end;
		} else {
			s->range[n++] = s->range[i];
		}
	}
	s->n_ranges = n;
}

static bool add_range(struct space *s, uint64_t start, uint64_t end)
{
	struct space_range *more =
		realloc(s->range, (s->n_ranges + 1) * sizeof(*more));

	if (!more)
		return false;
	s->range = more;
	s->range[s->n_ranges++] = (struct space_range){ start, end };
	return true;
}

void far_scan_forget(struct space *s, uint64_t start, uint64_t end)
{
	size_t n = s->n_ranges;

	for (size_t i = 0; i < n; i++) {
		struct space_range *r = &s->range[i];
		uint64_t tail = r->end;

		if (r->end <= start || end <= r->start)
			continue;
		if (r->start < start) {
			r->end = start;
			if (tail > end)
				add_range(s, end, tail);
		} else {
			r->start = end < tail ? end : tail;
		}
	}
	for (size_t i = 0; i < s->n_ranges;)
		if (s->range[i].start >= s->range[i].end)
			s->range[i] = s->range[--s->n_ranges];
		else
			i++;
	tidy(s);
}

static void capture(void *ctx, const struct maps_line *m)
{
	struct space *s = ctx;

	if (!maps_is_capturable(m) || is_known(s, m->start, m->end))
		return;
	if (m->start <= s->staging && s->staging < m->end)
		return;
	if (uffd_register(s->faults.fd, m->start, m->end - m->start) == 0 &&
	    add_range(s, m->start, m->end)) {
		s->scanned_all = false;
		s->cursor = 0;
	}
}

void far_scan_capture(struct space *s)
{
	if (s->pid && maps_read(s->pid, capture, s) == 0)
		tidy(s);
}

/* -- pages ----------------------------------------------------------------- */

static unsigned harvest_some(struct space *s, uint64_t first, uint64_t n)
{
	uint64_t entry[ENTRIES];
	ssize_t got = pread(s->pagemap_fd, entry, n * sizeof(entry[0]),
	                    (off_t)(first * sizeof(entry[0])));
	unsigned found = 0;

	for (ssize_t i = 0; i < got / (ssize_t)sizeof(entry[0]); i++) {
		struct far_page *p;

		if ((entry[i] & (PM_PRESENT | PM_FILE | PM_EXCLUSIVE)) !=
		    (PM_PRESENT | PM_EXCLUSIVE))
			continue;
		p = page_map_get(s->map, first + (uint64_t)i);
		if (!p || p->state != FAR_NONE)
			continue;
		resident_add(&s->resident, first + (uint64_t)i, p);
		found++;
	}
	return found;
}

void far_scan_harvest(struct space *s, unsigned want)
{
	unsigned found = 0, looks = 0;

	for (size_t i = 0; i < s->n_ranges && !s->scanned_all; i++) {
		uint64_t at = s->range[i].start >> FAR_PAGE_SHIFT;
		uint64_t end = s->range[i].end >> FAR_PAGE_SHIFT;

		if (at < s->cursor)
			at = s->cursor;
		while (at < end) {
			uint64_t n = end - at < ENTRIES ? end - at : ENTRIES;

			if (found >= want || looks++ == LOOKS)
				return;
			found += harvest_some(s, at, n);
			at += n;
			s->cursor = at;
		}
	}
	s->scanned_all = true;
	s->cursor = 0;
}
