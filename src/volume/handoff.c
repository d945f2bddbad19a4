/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/handoff.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define PAGE 4096u

/* The regions in their order: where each starts and how long it is. */
struct region {
	const uint64_t *offset;
	uint64_t bytes;
};
#define REGIONS 7

static void list_regions(const struct handoff_header *h,
                         struct region out[REGIONS])
{
	const struct region all[REGIONS] = {
		{ &h->lanes_offset, h->n_lanes * sizeof(struct handoff_lane) },
		{ &h->drives_offset,
		  HANDOFF_DRIVES * sizeof(struct handoff_drive) },
		{ &h->pools_offset,
		  HANDOFF_POOLS * sizeof(struct handoff_pool) },
		{ &h->volumes_offset,
		  HANDOFF_VOLUMES * sizeof(struct handoff_volume) },
		{ &h->rows_offset, (uint64_t)HANDOFF_POOLS * HANDOFF_POOL_ROWS *
		                           sizeof(struct handoff_row) },
		{ &h->arena_offset, h->arena_bytes },
		{ &h->table_offset, h->table_entries * sizeof(uint64_t) },
	};
	memcpy(out, all, sizeof(all));
}

int handoff_check_header(const struct handoff_header *header,
                         uint64_t object_bytes)
{
	struct region r[REGIONS];
	uint64_t end = sizeof(*header);

	if (header->magic != HANDOFF_MAGIC ||
	    header->version != HANDOFF_VERSION)
		return -EPROTO;
	if (!header->n_lanes || header->n_lanes > HANDOFF_LANES ||
	    header->total_bytes != object_bytes || !header->arena_bytes ||
	    header->arena_bytes % PAGE || header->arena_bytes > object_bytes ||
	    !header->table_entries ||
	    header->table_entries % (PAGE / sizeof(uint64_t)) ||
	    header->table_entries > object_bytes / sizeof(uint64_t))
		return -EINVAL;
	list_regions(header, r);
	for (unsigned i = 0; i < REGIONS; i++) {
		if (*r[i].offset < end || *r[i].offset % PAGE ||
		    *r[i].offset > object_bytes ||
		    r[i].bytes > object_bytes - *r[i].offset)
			return -EINVAL;
		end = *r[i].offset + r[i].bytes;
	}
	return 0;
}

static void layout(struct handoff_header *h, unsigned n_lanes,
                   uint64_t table_entries)
{
	uint64_t *offsets[REGIONS] = {
		&h->lanes_offset,   &h->drives_offset, &h->pools_offset,
		&h->volumes_offset, &h->rows_offset,   &h->arena_offset,
		&h->table_offset,
	};
	struct region r[REGIONS];
	uint64_t at = sizeof(*h);

	h->magic = HANDOFF_MAGIC;
	h->version = HANDOFF_VERSION;
	h->n_lanes = n_lanes;
	h->arena_bytes = HANDOFF_ARENA_BYTES;
	h->table_entries = table_entries;
	list_regions(h, r);
	for (unsigned i = 0; i < REGIONS; i++) {
		*offsets[i] = at;
		at += (r[i].bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	}
	h->total_bytes = at;
}

static int map(struct handoff *h, const struct handoff_header *header)
{
	uint8_t *base = mmap(NULL, header->total_bytes, PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_NORESERVE, h->fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	h->header = (struct handoff_header *)(void *)base;
	h->lanes = (void *)(base + header->lanes_offset);
	h->drives = (void *)(base + header->drives_offset);
	h->pools = (void *)(base + header->pools_offset);
	h->volumes = (void *)(base + header->volumes_offset);
	h->rows = (void *)(base + header->rows_offset);
	h->arena = base + header->arena_offset;
	h->table = (void *)(base + header->table_offset);
	h->n_lanes = header->n_lanes;
	h->total_bytes = header->total_bytes;
	h->arena_bytes = header->arena_bytes;
	h->table_entries = header->table_entries;
	return 0;
}

static void no_descriptors(struct handoff *h)
{
	memset(h, 0, sizeof(*h));
	h->fd = -1;
	h->slow_wake_fd = -1;
	for (unsigned i = 0; i < HANDOFF_LANES; i++)
		h->lane_wake_fd[i] = -1;
}

static int open_descriptors(struct handoff *h, unsigned n_lanes)
{
	h->fd = memfd_create("causeway-handoff", MFD_CLOEXEC);
	if (h->fd < 0)
		return -errno;
	h->slow_wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->slow_wake_fd < 0)
		return -errno;
	for (unsigned i = 0; i < n_lanes; i++) {
		h->lane_wake_fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (h->lane_wake_fd[i] < 0)
			return -errno;
	}
	return 0;
}

int handoff_create(unsigned n_lanes, uint64_t table_entries,
                   struct handoff *out, struct err *e)
{
	struct handoff_header header = { 0 };
	struct handoff h;
	int err;

	layout(&header, n_lanes, table_entries);
	no_descriptors(&h);
	err = open_descriptors(&h, n_lanes);
	if (!err && (ftruncate(h.fd, (off_t)header.total_bytes) != 0 ||
	             pwrite(h.fd, &header, sizeof(header), 0) !=
	                     (ssize_t)sizeof(header)))
		err = -errno;
	if (!err)
		err = map(&h, &header);
	if (err) {
		handoff_detach(&h);
		return err_set(e, err,
		               "no shared memory for the volume stacks: %s; "
		               "raise the limits on descriptors or memory",
		               strerror(-err));
	}
	*out = h;
	return 0;
}

int handoff_attach(const int *fds, unsigned n_fds, struct handoff *out,
                   struct err *e)
{
	struct handoff_header header;
	struct handoff h;
	off_t bytes;
	int err;

	bytes = n_fds ? lseek(fds[0], 0, SEEK_END) : -1;
	if (bytes < (off_t)sizeof(header) ||
	    pread(fds[0], &header, sizeof(header), 0) !=
	            (ssize_t)sizeof(header))
		return err_set(e, -EPROTO, "not a hand-off object: too short");
	err = handoff_check_header(&header, (uint64_t)bytes);
	if (err)
		return err_set(
			e, err,
			"the hand-off object is not of version %u or its "
			"regions make no sense: are both stacks from the "
			"same build?",
			HANDOFF_VERSION);
	if (n_fds != 2 + header.n_lanes)
		return err_set(e, -EPROTO, "%u descriptors for %u lanes", n_fds,
		               header.n_lanes);
	no_descriptors(&h);
	h.fd = fds[0];
	h.slow_wake_fd = fds[1];
	memcpy(h.lane_wake_fd, fds + 2, header.n_lanes * sizeof(*fds));
	err = map(&h, &header);
	if (err)
		return err_set(e, err, "cannot map the hand-off object: %s",
		               strerror(-err));
	*out = h;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void handoff_detach(struct handoff *h)
{
	if (h->header)
		munmap(h->header, h->total_bytes);
	close_fd(h->fd);
	close_fd(h->slow_wake_fd);
	for (unsigned i = 0; i < HANDOFF_LANES; i++)
		close_fd(h->lane_wake_fd[i]);
	no_descriptors(h);
}

/* -- rings ---------------------------------------------------------------- */

/* Slot to fill, or -1 if full.  The other side's index may hold anything. */
static long ring_room(const struct handoff_ring *r)
{
	uint64_t tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);

	return r->head - tail < HANDOFF_RING ? (long)(r->head % HANDOFF_RING)
	                                     : -1;
}

/* Slot to empty, or -1: an index that no honest peer has counts as empty, so
 * that who empties the ring comes to an end. */
static long ring_next(const struct handoff_ring *r)
{
	uint64_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);

	return head - r->tail - 1 < HANDOFF_RING
	               ? (long)(r->tail % HANDOFF_RING)
	               : -1;
}

static uint32_t claim_word(uint64_t tag, enum handoff_claim state)
{
	return (uint32_t)(tag / HANDOFF_CLAIMS) << 2 | state;
}

static uint32_t *claim_of(struct handoff *h, unsigned lane, uint64_t tag)
{
	return &h->lanes[lane].claims[tag % HANDOFF_CLAIMS];
}

static bool close_claim(struct handoff *h, unsigned lane, uint64_t tag,
                        enum handoff_claim state)
{
	uint32_t open = claim_word(tag, HANDOFF_CLAIM_OPEN);

	return __atomic_compare_exchange_n(claim_of(h, lane, tag), &open,
	                                   claim_word(tag, state), false,
	                                   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

bool handoff_claim_take(struct handoff *h, unsigned lane, uint64_t tag)
{
	return close_claim(h, lane, tag, HANDOFF_CLAIM_TAKEN);
}

bool handoff_claim_give_up(struct handoff *h, unsigned lane, uint64_t tag)
{
	return close_claim(h, lane, tag, HANDOFF_CLAIM_GIVEN_UP);
}

bool handoff_push_request(struct handoff *h, unsigned lane,
                          const struct handoff_request *r)
{
	struct handoff_lane *l = &h->lanes[lane];
	long at = ring_room(&l->to_slow);

	if (at < 0)
		return false;
	l->requests[at] = *r;
	if (r->kind == HANDOFF_DISCARD)
		__atomic_store_n(claim_of(h, lane, r->tag),
		                 claim_word(r->tag, HANDOFF_CLAIM_OPEN),
		                 __ATOMIC_RELEASE);
	__atomic_store_n(&l->to_slow.head, l->to_slow.head + 1,
	                 __ATOMIC_RELEASE);
	return true;
}

bool handoff_pop_request(struct handoff *h, unsigned lane,
                         struct handoff_request *out)
{
	struct handoff_lane *l = &h->lanes[lane];
	long at = ring_next(&l->to_slow);

	if (at < 0)
		return false;
	*out = l->requests[at];
	__atomic_store_n(&l->to_slow.tail, l->to_slow.tail + 1,
	                 __ATOMIC_RELEASE);
	return true;
}

bool handoff_push_reply(struct handoff *h, unsigned lane,
                        const struct handoff_reply *r)
{
	struct handoff_lane *l = &h->lanes[lane];
	long at = ring_room(&l->to_fast);

	if (at < 0)
		return false;
	l->replies[at] = *r;
	__atomic_store_n(&l->to_fast.head, l->to_fast.head + 1,
	                 __ATOMIC_RELEASE);
	return true;
}

bool handoff_pop_reply(struct handoff *h, unsigned lane,
                       struct handoff_reply *out)
{
	struct handoff_lane *l = &h->lanes[lane];
	long at = ring_next(&l->to_fast);

	if (at < 0)
		return false;
	*out = l->replies[at];
	__atomic_store_n(&l->to_fast.tail, l->to_fast.tail + 1,
	                 __ATOMIC_RELEASE);
	return true;
}

bool handoff_requests_waiting(const struct handoff *h, unsigned lane)
{
	return ring_next(&h->lanes[lane].to_slow) >= 0;
}

bool handoff_replies_waiting(const struct handoff *h, unsigned lane)
{
	return ring_next(&h->lanes[lane].to_fast) >= 0;
}

void handoff_reset_lane(struct handoff *h, unsigned lane)
{
	struct handoff_lane *l = &h->lanes[lane];

	memset(&l->to_slow, 0, sizeof(l->to_slow));
	memset(&l->to_fast, 0, sizeof(l->to_fast));
}

/*
 * Sleeper: set the flag, fence, look at the ring, sleep.  Waker: push, fence,
 * look at the flag.  One of them sees the other's store.
 */
static void wake(uint32_t *sleeping, int fd)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(sleeping, __ATOMIC_RELAXED) &&
	    __atomic_exchange_n(sleeping, 0, __ATOMIC_ACQ_REL))
		eventfd_write(fd, 1);
}

static void announce(uint32_t *sleeping, bool sleeps)
{
	__atomic_store_n(sleeping, sleeps, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void handoff_wake_slow(struct handoff *h)
{
	wake(&h->header->slow_sleeping, h->slow_wake_fd);
}

void handoff_wake_lane(struct handoff *h, unsigned lane)
{
	wake(&h->lanes[lane].fast_sleeping, h->lane_wake_fd[lane]);
}

void handoff_slow_sleeps(struct handoff *h, bool sleeps)
{
	announce(&h->header->slow_sleeping, sleeps);
}

void handoff_lane_sleeps(struct handoff *h, unsigned lane, bool sleeps)
{
	announce(&h->lanes[lane].fast_sleeping, sleeps);
}

/* -- the table and statuses ----------------------------------------------- */

void handoff_clear_entries(struct handoff *h, uint64_t at, uint64_t count)
{
	uint64_t start = at * sizeof(uint64_t), end = start + count * 8;
	uint64_t first = (start + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	uint64_t last = end & ~(uint64_t)(PAGE - 1);
	uint64_t table = (uint64_t)((uint8_t *)h->table - (uint8_t *)h->header);

	if (first < last &&
	    fallocate(h->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	              (off_t)(table + first), (off_t)(last - first)) == 0) {
		for (uint64_t i = at; i * 8 < first; i++)
			handoff_set_entry(h, i, 0);
		at = last / 8;
	}
	for (; at * 8 < end; at++)
		handoff_set_entry(h, at, 0);
}

static const struct {
	enum handoff_status status;
	int err;
} statuses[] = {
	{ HANDOFF_OK, 0 },
	{ HANDOFF_NO_SPACE, -ENOSPC },
	{ HANDOFF_IO_ERROR, -EIO },
	{ HANDOFF_GONE, -ENXIO },
	{ HANDOFF_INVALID, -EINVAL },
	{ HANDOFF_TIMED_OUT, -ETIMEDOUT },
};
static_assert(ARRAY_LEN(statuses) == HANDOFF_STATUSES, "name every status");

int handoff_status_errno(unsigned status)
{
	return status < ARRAY_LEN(statuses) ? statuses[status].err : -EIO;
}

enum handoff_status handoff_errno_status(int err)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].err == err)
			return statuses[i].status;
	return HANDOFF_IO_ERROR;
}
