/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/fuse_server.h"

#include "base/base.h"
#include "base/list.h"
#include "block/block.h"
#include "core/reactor.h"
#include "far/seal.h"
#include "kswap/fuse_decode.h"
#include "kswap/shared.h"

#include <assert.h>
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHECK_NS (100 * NS_PER_MS)

static_assert(SHARED_HEAD == sizeof(struct fuse_in_header) +
                                     sizeof(struct fuse_write_in),
              "a WRITE's data begin on a page");

/*
 *             taken                  done
 *      FREE --------> at the device ------> answered, FREE
 *        ^               | deadline           ^
 *        |               v                    |
 *        |             LATE (answered) -------'
 *        '---- answered at once
 */
struct call {
	struct list link; /* the server's free, busy or late */
	struct fuse_server *server;
	struct shared_slot *slot;
	struct block_request block;
	struct iovec iov;
	struct fuse_decode_call asked;
	uint64_t start_ns;
	bool late;
};

struct fuse_server {
	struct fuse_server_opts opts;
	struct shared *shared;
	struct shared_seal *seals;
	struct seal seal;
	struct watch watch;
	bool watching;
	bool over;      /* the file system is gone */
	bool repeating; /* what a worker before this one had left */
	struct timer timer;
	struct list free;
	struct list busy; /* in order of their start */
	struct list late;
	struct call call[SHARED_SLOTS];
};

static struct fuse_in_header *header_of(struct call *c)
{
	return (struct fuse_in_header *)(void *)c->slot->request;
}

static void set_watch(struct fuse_server *s, bool on)
{
	if (s->over || s->watching == on)
		return;
	s->watching = on;
	watch_modify(s->opts.reactor, &s->watch, on ? EPOLLIN : 0);
}

/* -- answers --------------------------------------------------------------- */

static struct shared_count *count_of(struct call *c)
{
	struct shared *h = c->server->shared;

	if (c->asked.op == FUSE_DECODE_READ)
		return &h->read;
	return c->asked.op == FUSE_DECODE_WRITE ? &h->write : NULL;
}

static void count(struct call *c, int err)
{
	struct shared_count *n = count_of(c);

	if (!n)
		return;
	n->requests++;
	n->pages += c->asked.length / FAR_PAGE;
	n->errors += err != 0;
	histogram_add(&n->latency, clock_now_ns() - c->start_ns);
}

/* `err` is 0 or a negative errno.  A request that the kernel has given up
 * has no answer: writev() fails, and that is all. */
static void answer(struct call *c, int err, const void *data, size_t length)
{
	struct fuse_out_header h = {
		.len = (uint32_t)(sizeof(h) + (err ? 0 : length)),
		.error = err,
		.unique = c->asked.unique,
	};
	struct iovec iov[2] = { { &h, sizeof(h) },
		                { (void *)(uintptr_t)data, length } };
	ssize_t n;

	count(c, err);
	do
		n = writev(c->server->opts.fd, iov, err || !length ? 1 : 2);
	while (n < 0 && errno == EINTR);
	header_of(c)->unique = 0;
	c->slot->version = 0;
}

static void let_go(struct call *c)
{
	struct fuse_server *s = c->server;

	list_remove(&c->link);
	list_prepend(&s->free, &c->link);
	s->repeating = s->repeating && !list_empty(&s->busy);
	set_watch(s, !s->repeating);
}

static void finish(struct call *c, int err, const void *data, size_t length)
{
	answer(c, err, data, length);
	let_go(c);
}

/* -- what is asked of the file --------------------------------------------- */

static void answer_init(struct call *c)
{
	const uint64_t can = FUSE_ASYNC_READ | FUSE_BIG_WRITES |
	                     FUSE_ASYNC_DIO | FUSE_MAX_PAGES;
	uint32_t minor = c->asked.minor < FUSE_KERNEL_MINOR_VERSION
	                         ? c->asked.minor
	                         : FUSE_KERNEL_MINOR_VERSION;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = minor,
		.flags = (uint32_t)(c->asked.flags & can),
		.max_background = SHARED_SLOTS,
		.congestion_threshold = SHARED_SLOTS,
		.max_write = SHARED_REQUEST,
		.time_gran = 1,
		.max_pages = SHARED_REQUEST / FAR_PAGE,
	};

	finish(c, 0, &out, sizeof(out));
}

static void answer_getattr(struct call *c)
{
	struct fuse_attr_out out = {
		.attr_valid = UINT32_MAX,
		.attr = { .ino = FUSE_ROOT_ID,
		          .size = c->server->shared->size,
		          .blocks = c->server->shared->size / 512,
		          .mode = 0100600,
		          .nlink = 1,
		          .blksize = (uint32_t)FAR_PAGE },
	};

	finish(c, 0, &out, sizeof(out));
}

static void answer_open(struct call *c)
{
	struct fuse_open_out out = {
		.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES |
		              FOPEN_NOFLUSH,
	};

	finish(c, 0, &out, sizeof(out));
}

static void answer_statfs(struct call *c)
{
	struct fuse_statfs_out out = {
		.st = { .blocks = c->server->shared->n_pages,
		        .bsize = (uint32_t)FAR_PAGE,
		        .frsize = (uint32_t)FAR_PAGE,
		        .namelen = 255 },
	};

	finish(c, 0, &out, sizeof(out));
}

/* -- pages ----------------------------------------------------------------- */

static struct shared_seal *seals_of(struct call *c)
{
	return &c->server->seals[c->asked.offset / FAR_PAGE];
}

static uint64_t pages_of(const struct call *c)
{
	return c->asked.length / FAR_PAGE;
}

static void forget(struct fuse_server *s, struct shared_seal *seal)
{
	s->shared->away -= seal->version != 0;
	*seal = (struct shared_seal){ 0 };
}

/* @return whether `n` of the pages are what they were. */
static bool open_pages(struct call *c, uint64_t first, uint64_t n)
{
	struct fuse_server *s = c->server;
	const struct shared_seal *seal = seals_of(c);

	for (uint64_t i = first; i < first + n; i++) {
		uint8_t *page = shared_data(c->slot) + i * FAR_PAGE;

		if (!seal[i].version) {
			memset(page, 0, FAR_PAGE);
			s->shared->zero_reads++;
		} else if (!seal_open(&s->seal, seal[i].version, page,
		                      seal[i].tag)) {
			s->shared->bad_seals++;
			return false;
		}
	}
	return true;
}

static bool check(struct block_request *q, uint64_t at, uint64_t length)
{
	struct call *c = container_of(q, struct call, block);
	uint64_t end = (at + length + FAR_PAGE - 1) / FAR_PAGE;

	return open_pages(c, at / FAR_PAGE, end - at / FAR_PAGE);
}

static bool is_zero(const uint8_t *page)
{
	return memcmp(page, block_zeroes, FAR_PAGE) == 0;
}

/* @return whether there is a page that has to leave. */
static bool seal_pages(struct call *c)
{
	struct fuse_server *s = c->server;
	struct shared_seal *seal = seals_of(c);
	bool any = false;

	if (!c->slot->version) {
		uint64_t version = s->shared->next_version;

		s->shared->next_version = version + pages_of(c);
		c->slot->version = version;
	}
	for (uint64_t i = 0; i < pages_of(c); i++) {
		const uint8_t *page = shared_data(c->slot) + i * FAR_PAGE;

		if (is_zero(page)) {
			forget(s, &seal[i]);
			s->shared->zero_writes++;
			if (s->seal.encrypt)
				memset(c->slot->sealed + i * FAR_PAGE, 0,
				       FAR_PAGE);
			continue;
		}
		s->shared->away += seal[i].version == 0;
		seal[i].version = c->slot->version + i;
		seal_page(&s->seal, seal[i].version, page,
		          c->slot->sealed + i * FAR_PAGE, seal[i].tag);
		any = true;
	}
	return any;
}

static bool is_away(struct call *c)
{
	const struct shared_seal *seal = seals_of(c);

	for (uint64_t i = 0; i < pages_of(c); i++)
		if (seal[i].version)
			return true;
	return false;
}

static void finish_pages(struct call *c, int err)
{
	const struct fuse_write_out out = { .size = (uint32_t)c->asked.length };

	if (c->asked.op == FUSE_DECODE_READ)
		finish(c, err, shared_data(c->slot), c->asked.length);
	else
		finish(c, err, &out, sizeof(out));
}

/* -- the device ------------------------------------------------------------ */

static void done(struct block_request *q, int err)
{
	struct call *c = container_of(q, struct call, block);
	bool reads = c->asked.op == FUSE_DECODE_READ;

	if (c->late) {
		c->late = false;
		let_go(c);
		return;
	}
	if (!err && reads && !c->server->opts.device->checks &&
	    !open_pages(c, 0, pages_of(c)))
		err = -EBADMSG;
	/* The kernel knows few errors of a device; EIO is one. */
	finish_pages(c, err ? -EIO : 0);
}

static void give_up_late(struct timer *t)
{
	struct fuse_server *s = container_of(t, struct fuse_server, timer);
	uint64_t now = clock_now_ns();

	LIST_FOREACH (l, &s->busy) {
		struct call *c = list_entry(l, struct call, link);

		if (now - c->start_ns < s->opts.deadline_ms * NS_PER_MS)
			break;
		count_of(c)->late++;
		answer(c, -EIO, NULL, 0);
		c->late = true;
		list_remove(&c->link);
		list_append(&s->late, &c->link);
	}
	if (!list_empty(&s->busy))
		timer_start(s->opts.reactor, &s->timer, CHECK_NS);
}

static void submit(struct call *c, enum block_op op, void *data)
{
	struct fuse_server *s = c->server;

	c->iov = (struct iovec){ data, c->asked.length };
	c->block = (struct block_request){
		.op = op,
		.offset = c->asked.offset,
		.length = c->asked.length,
		.iov = &c->iov,
		.iov_count = 1,
		.done = done,
		.check = check,
	};
	if (list_empty(&s->busy))
		timer_start(s->opts.reactor, &s->timer, CHECK_NS);
	list_remove(&c->link);
	list_append(&s->busy, &c->link);
	block_submit(s->opts.device, &c->block);
}

static bool is_held(const struct call *c)
{
	LIST_FOREACH (l, &c->server->late) {
		const struct call *o = list_entry(l, struct call, link);

		if (o->asked.offset < c->asked.offset + c->asked.length &&
		    c->asked.offset < o->asked.offset + o->asked.length)
			return true;
	}
	return false;
}

static int check_range(const struct call *c)
{
	const struct fuse_decode_call *a = &c->asked;

	if (a->length == 0 || a->offset % FAR_PAGE || a->length % FAR_PAGE ||
	    a->offset + a->length > c->server->shared->size)
		return -EINVAL;
	if (a->op == FUSE_DECODE_DISCARD)
		return 0;
	if (a->length > SHARED_REQUEST)
		return -EINVAL;
	return is_held(c) ? -EIO : 0;
}

static void read_pages(struct call *c)
{
	if (is_away(c))
		submit(c, BLOCK_READ, shared_data(c->slot));
	else
		finish_pages(c, open_pages(c, 0, pages_of(c)) ? 0 : -EIO);
}

static void write_pages(struct call *c)
{
	if (seal_pages(c))
		submit(c, BLOCK_WRITE,
		       c->server->seal.encrypt ? c->slot->sealed
		                               : shared_data(c->slot));
	else
		finish_pages(c, 0);
}

static void discard_pages(struct call *c)
{
	struct shared_seal *seal = seals_of(c);

	for (uint64_t i = 0; i < pages_of(c); i++)
		forget(c->server, &seal[i]);
	c->server->shared->discarded += pages_of(c);
	finish(c, 0, NULL, 0);
}

/* -- requests -------------------------------------------------------------- */

/* `n` bytes of a request are in the slot. */
static void start(struct call *c, size_t n)
{
	int err = fuse_decode_request(c->slot->request, n, &c->asked);

	c->start_ns = clock_now_ns();
	if (err == -EPROTO) {
		header_of(c)->unique = 0;
		let_go(c);
		return;
	}
	if (!err && count_of(c))
		err = check_range(c);
	if (!err && c->asked.op == FUSE_DECODE_DISCARD)
		err = check_range(c);
	if (err) {
		finish(c, err, NULL, 0);
		return;
	}
	switch (c->asked.op) {
	case FUSE_DECODE_INIT:
		answer_init(c);
		break;
	case FUSE_DECODE_GETATTR:
		answer_getattr(c);
		break;
	case FUSE_DECODE_OPEN:
		answer_open(c);
		break;
	case FUSE_DECODE_STATFS:
		answer_statfs(c);
		break;
	case FUSE_DECODE_READ:
		read_pages(c);
		break;
	case FUSE_DECODE_WRITE:
		write_pages(c);
		break;
	case FUSE_DECODE_DISCARD:
		discard_pages(c);
		break;
	case FUSE_DECODE_DONE:
		finish(c, 0, NULL, 0);
		break;
	case FUSE_DECODE_QUIET:
		header_of(c)->unique = 0;
		let_go(c);
		break;
	case FUSE_DECODE_UNKNOWN:
		finish(c, -ENOSYS, NULL, 0);
		break;
	}
}

static void ready(struct watch *w, uint32_t events)
{
	struct fuse_server *s = container_of(w, struct fuse_server, watch);

	(void)events;
	while (!list_empty(&s->free)) {
		struct call *c = list_entry(s->free.next, struct call, link);
		ssize_t n =
			read(w->fd, c->slot->request, sizeof(c->slot->request));

		if (n > 0) {
			start(c, (size_t)n);
		} else if (n == 0 || errno == ENODEV) {
			s->over = true;
			watch_stop(s->opts.reactor, w);
			if (s->opts.ended)
				s->opts.ended(s->opts.ctx);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
		/* else the request was withdrawn, or a signal came */
	}
	set_watch(s, false);
}

/* H2: what a worker before this one had taken and not answered. */
static void start_again(struct fuse_server *s)
{
	s->repeating = true;
	for (unsigned i = 0; i < SHARED_SLOTS; i++) {
		struct call *c = &s->call[i];

		if (!header_of(c)->unique)
			continue;
		s->shared->again++;
		start(c, header_of(c)->len);
	}
	s->repeating = !list_empty(&s->busy);
	set_watch(s, !s->repeating);
}

/* -- life ------------------------------------------------------------------ */

int fuse_server_create(const struct fuse_server_opts *o,
                       struct fuse_server **out, struct err *e)
{
	struct fuse_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return err_set(e, -ENOMEM, "no memory to serve a swap device");
	s->opts = *o;
	if (!s->opts.deadline_ms)
		s->opts.deadline_ms = FUSE_SERVER_DEADLINE_MS;
	s->shared = o->shared;
	s->seals = shared_seals(o->shared);
	s->timer.fire = give_up_late;
	list_init(&s->free);
	list_init(&s->busy);
	list_init(&s->late);
	for (unsigned i = 0; i < SHARED_SLOTS; i++) {
		s->call[i].server = s;
		s->call[i].slot = &shared_slots(o->shared)[i];
		list_append(&s->free, &s->call[i].link);
	}
	s->watch = (struct watch){ .fd = o->fd,
		                   .events = EPOLLIN,
		                   .ready = ready };
	s->watching = true;
	err = seal_init_keyed(&s->seal, o->shared->encrypt, o->shared->key, e);
	if (!err && watch_start(o->reactor, &s->watch)) {
		err = err_set(e, -EMFILE, "no descriptor for /dev/fuse");
		seal_fini(&s->seal);
	}
	if (err) {
		free(s);
		return err;
	}
	start_again(s);
	*out = s;
	return 0;
}

void fuse_server_destroy(struct fuse_server *s)
{
	if (!s)
		return;
	timer_stop(s->opts.reactor, &s->timer);
	if (!s->over)
		watch_stop(s->opts.reactor, &s->watch);
	seal_fini(&s->seal);
	free(s);
}
