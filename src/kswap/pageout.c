/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/pageout.h"

#include "base/base.h"
#include "far/maps.h"
#include "far/page_map.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECE_PAGES 512u
#define PIECE (PIECE_PAGES * FAR_PAGE)
#define PRESENT (UINT64_C(1) << 63) /* pagemap, Linux pagemap.rst */

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

struct walk {
	int pidfd;
	int pagemap;
	uint64_t cursor;
	uint64_t want;
	uint64_t had;
};

static uint64_t present(const struct walk *w, uint64_t at, uint64_t length)
{
	uint64_t entry[PIECE_PAGES], pages = 0;
	ssize_t n = pread(w->pagemap, entry, length / FAR_PAGE * sizeof(*entry),
	                  (off_t)(at / FAR_PAGE * sizeof(*entry)));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(*entry); i++)
		pages += (entry[i] & PRESENT) != 0;
	return pages * FAR_PAGE;
}

static void visit(void *ctx, const struct maps_line *m)
{
	struct walk *w = ctx;

	if (m->end <= w->cursor || !maps_is_swappable(m))
		return;
	if (w->cursor < m->start)
		w->cursor = w->had < w->want ? m->start : w->cursor;
	while (w->cursor < m->end && w->had < w->want) {
		uint64_t left = m->end - w->cursor;
		struct iovec piece = { (void *)(uintptr_t)w->cursor,
			               left < PIECE ? left : PIECE };
		uint64_t there = present(w, w->cursor, piece.iov_len);

		if (there && syscall(SYS_process_madvise, w->pidfd, &piece, 1,
		                     MADV_PAGEOUT, 0) > 0)
			w->had += there - present(w, w->cursor, piece.iov_len);
		w->cursor += piece.iov_len;
	}
}

uint64_t pageout_some(pid_t pid, uint64_t *cursor, uint64_t want)
{
	AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
	AUTO_CLOSE int pagemap = -1;
	struct walk w = { .cursor = *cursor, .want = want };
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	w.pidfd = pidfd;
	w.pagemap = pagemap;
	if (pidfd >= 0 && pagemap >= 0)
		(void)maps_read(pid, visit, &w);
	*cursor = w.had < want ? 0 : w.cursor;
	return w.had;
}
