/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/area.h"

#include "base/base.h"
#include "far/page_map.h"
#include "kswap/procfs_decode.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/swap.h>

#ifndef SWAP_FLAG_DISCARD_PAGES
#define SWAP_FLAG_DISCARD_PAGES 0x40000
#endif
#define LINE 256
#define RESERVE_MIN                                                            \
	(UINT64_C(32) << 20) /* bytes that are left for the rest               \
	                      */

/* The first page of an area; Linux, include/linux/swap.h, union swap_header.
 * Numbers are the host's. */
struct header {
	uint8_t boot[1024];
	uint32_t version;
	uint32_t last_page;
	uint32_t n_bad;
	uint8_t uuid[16];
	char label[16];
	uint8_t pad[FAR_PAGE - 1024 - 12 - 32 - 10];
	char magic[10];
};
static_assert(sizeof(struct header) == FAR_PAGE, "a page");

int area_format(int fd, uint64_t size, struct err *e)
{
	struct header *h = aligned_alloc(FAR_PAGE, 2 * FAR_PAGE);
	struct header *back = h + 1;
	int err = 0;

	if (!h)
		return err_set(e, -ENOMEM, "no memory for a swap header");
	memset(h, 0, sizeof(*h));
	h->version = 1;
	h->last_page = (uint32_t)(size / FAR_PAGE - 1);
	if (getrandom(h->uuid, sizeof(h->uuid), 0) < 0)
		memset(h->uuid, 1, sizeof(h->uuid));
	memcpy(h->label, "causeway", sizeof("causeway"));
	memcpy(h->magic, "SWAPSPACE2", sizeof(h->magic));
	if (pwrite(fd, h, FAR_PAGE, 0) != (ssize_t)FAR_PAGE)
		err = err_set(e, -EIO,
		              "the first page cannot be written: %s; see "
		              "'causeway node list' for the donors",
		              strerror(errno));
	else if (pread(fd, back, FAR_PAGE, 0) != (ssize_t)FAR_PAGE ||
	         memcmp(h, back, FAR_PAGE) != 0)
		err = err_set(e, -EIO,
		              "the first page does not come back as it was "
		              "written");
	free(h);
	return err;
}

int area_on(const char *path, int priority, struct err *e)
{
	int flags = SWAP_FLAG_PREFER | (priority & SWAP_FLAG_PRIO_MASK);

	if (swapon(path, flags | SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES) &&
	    swapon(path, flags))
		return err_set(e, -errno,
		               "the kernel does not swap to %s: %s%s", path,
		               strerror(errno),
		               errno == EPERM ? "; be root, and not in a "
		                                "container without "
		                                "CAP_SYS_ADMIN"
		                              : "");
	return 0;
}

/* -- looking --------------------------------------------------------------- */

bool area_is_served(const struct area *a)
{
	AUTO_CLOSE int fd = pidfd_open(a->owner, 0);
	struct pollfd ended = { .fd = fd, .events = POLLIN };

	/* One that has ended stays until its parent asks, and serves not. */
	return fd >= 0 ? poll(&ended, 1, 0) == 0 : errno != ESRCH;
}

unsigned area_list(struct area *out, unsigned max)
{
	FILE *f = fopen("/proc/swaps", "re");
	struct procfs_decode_swap s;
	char line[LINE];
	unsigned n = 0;

	while (f && n < max && fgets(line, sizeof(line), f)) {
		struct area *a = &out[n];

		if (!procfs_decode_swap(line, &s) ||
		    strlen(s.path) >= sizeof(a->path))
			continue;
		a->owner = loop_owner(s.path);
		if (!a->owner)
			continue;
		strcpy(a->path, s.path);
		a->size = s.size;
		a->used = s.used;
		n++;
	}
	if (f)
		fclose(f);
	return n;
}

bool area_reserve_is_small(unsigned *kib)
{
	FILE *f = fopen("/proc/sys/vm/min_free_kbytes", "re");
	bool known = f && fscanf(f, "%u", kib) == 1;

	if (f)
		fclose(f);
	return known && *kib < AREA_RESERVE_KIB;
}

static void read_memory(struct area_room *room, uint64_t *total)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[LINE];

	while (f && fgets(line, sizeof(line), f)) {
		(void)procfs_decode_memory(line, "MemAvailable",
		                           &room->available);
		(void)procfs_decode_memory(line, "SwapFree", &room->elsewhere);
		(void)procfs_decode_memory(line, "MemTotal", total);
	}
	if (f)
		fclose(f);
}

bool area_room(const struct area *a, struct area_room *out)
{
	struct area_room r = { 0 };
	uint64_t total = 0, free_there = a->size - a->used;

	read_memory(&r, &total);
	r.needed =
		a->used + (total / 64 > RESERVE_MIN ? total / 64 : RESERVE_MIN);
	r.elsewhere -= r.elsewhere < free_there ? r.elsewhere : free_there;
	*out = r;
	return a->used == 0 || r.needed <= r.available + r.elsewhere;
}

int area_off(const char *path, struct err *e)
{
	if (swapoff(path))
		return err_set(e, -errno, "%s could not be ended: %s", path,
		               strerror(errno));
	return 0;
}
