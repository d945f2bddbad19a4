/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/limit.h"

#include "base/base.h"
#include "core/log.h"
#include "core/reactor.h"
#include "kswap/pageout.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#define TICK_MIN_NS (2 * NS_PER_MS)
#define TICK_MAX_NS (50 * NS_PER_MS)
#define RESCUE (UINT64_C(8) << 20) /* pushed out for a program that waits */
#define MORE                                                                   \
	(UINT64_C(1) << 20) /* by which the limit is lifted, to wake it        \
	                     */
#define PROCS_MAX 1024u

struct limit {
	struct reactor *reactor;
	uint64_t bytes;
	unsigned version;
	char parent[PATH_MAX / 2];
	char path[PATH_MAX];
	char procs[PATH_MAX + 16];
	int dir;
	int oom_control; /* version 1 */
	struct watch oom;
	struct timer tick;
	uint64_t waits_since_ns; /* 0: nobody waits at the limit */
	bool hopeless;
	/* where pushing out goes on */
	pid_t pid;
	uint64_t cursor;
	struct limit_stats stats;
};

/* -- files of a cgroup ----------------------------------------------------- */

static int put(const struct limit *l, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int put(const struct limit *l, const char *file, const char *fmt, ...)
{
	AUTO_CLOSE int fd = openat(l->dir, file, O_WRONLY | O_CLOEXEC);
	char text[64];
	va_list ap;
	int n;

	if (fd < 0)
		return -errno;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return write(fd, text, (size_t)n) == n ? 0 : -errno;
}

static bool get(const struct limit *l, const char *file, char *text, size_t n)
{
	AUTO_CLOSE int fd = openat(l->dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, n - 1);

	text[got > 0 ? got : 0] = '\0';
	return got > 0;
}

static uint64_t usage(const struct limit *l)
{
	char text[32];

	get(l, l->version == 1 ? "memory.usage_in_bytes" : "memory.current",
	    text, sizeof(text));
	return strtoull(text, NULL, 10);
}

/* Bytes that are swapped out, or being so, and not given back yet: the kernel
 * takes them without waiting for a device, when it needs them. */
static uint64_t reclaimable(const struct limit *l)
{
	static const char name[] = "\nswapcached ";
	char text[4096];
	const char *at = get(l, "memory.stat", text, sizeof(text))
	                         ? strstr(text, name)
	                         : NULL;

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static bool is_under_oom(const struct limit *l)
{
	char text[256];

	return get(l, "memory.oom_control", text, sizeof(text)) &&
	       strstr(text, "under_oom 1");
}

/* -- pushing out ----------------------------------------------------------- */

/* Process ids in the cgroup, at most PROCS_MAX. */
static unsigned processes(const struct limit *l, pid_t out[PROCS_MAX])
{
	FILE *f = fopen(l->procs, "re");
	unsigned n = 0;

	while (f && n < PROCS_MAX && fscanf(f, "%d", &out[n]) == 1)
		n++;
	if (f)
		fclose(f);
	return n;
}

/* Of all processes in turn, from where it ended the last time. */
static void push_pages(struct limit *l, uint64_t want)
{
	pid_t pids[PROCS_MAX];
	unsigned n = processes(l, pids), first = 0;

	while (first < n && pids[first] != l->pid)
		first++;
	if (first == n)
		l->cursor = first = 0;
	/* The first one twice: it may begin in the middle. */
	for (unsigned i = 0; i <= n && n && want; i++) {
		uint64_t had;

		l->pid = pids[(first + i) % n];
		had = pageout_some(l->pid, &l->cursor, want);
		l->stats.pushed_out += had;
		want -= had < want ? had : want;
	}
}

static void push(struct limit *l, uint64_t want)
{
	if (l->version == 1)
		push_pages(l, want);
	else if (put(l, "memory.reclaim", "%" PRIu64, want) == 0)
		l->stats.pushed_out += want;
}

/* -- at the limit ---------------------------------------------------------- */

/* Whoever waits looks again when the limit moves. */
static void wake(struct limit *l)
{
	put(l, "memory.limit_in_bytes", "%" PRIu64, l->bytes + MORE);
	put(l, "memory.limit_in_bytes", "%" PRIu64, l->bytes);
}

static void rescue(struct limit *l)
{
	uint64_t now = clock_now_ns();

	if (l->hopeless || !is_under_oom(l)) {
		l->waits_since_ns = 0;
		return;
	}
	if (!l->waits_since_ns) {
		l->waits_since_ns = now;
		l->stats.waits++;
	}
	push(l, RESCUE);
	wake(l);
	if (now - l->waits_since_ns < LIMIT_HANG_MS * NS_PER_MS)
		return;
	log_event(LOG_LEVEL_ERROR, "no memory can be swapped out",
	          "limit=%" PRIu64, l->bytes);
	l->hopeless = true;
	put(l, "memory.oom_control", "0");
}

static void oom(struct watch *w, uint32_t events)
{
	struct limit *l = container_of(w, struct limit, oom);
	uint64_t n;

	(void)events;
	if (read(w->fd, &n, sizeof(n)) == sizeof(n))
		rescue(l);
}

/* The later the more room there is: a program fills it at 2 GB/s at most. */
static void tick(struct timer *t)
{
	struct limit *l = container_of(t, struct limit, tick);
	uint64_t has = usage(l), high = l->bytes / 100 * LIMIT_HIGH;
	uint64_t next = TICK_MIN_NS;

	if (l->version == 1)
		rescue(l);
	if (has > high) {
		uint64_t low = l->bytes / 100 * LIMIT_LOW + reclaimable(l);

		if (has > low)
			push(l, has - low);
	} else if ((high - has) / 4 > next) {
		next = (high - has) / 4;
	}
	timer_start(l->reactor, t, next < TICK_MAX_NS ? next : TICK_MAX_NS);
}

/* -- where memory cgroups are ---------------------------------------------- */

/* A line of mountinfo (proc(5)): "... POINT OPTIONS ... - TYPE SOURCE OPTIONS".
 */
static unsigned version_of(const char *line, char point[PATH_MAX / 2])
{
	const char *rest = strstr(line, " - cgroup");
	char path[PATH_MAX / 2];

	if (!rest || sscanf(line, "%*s %*s %*s %*s %2047s", path) != 1)
		return 0;
	if (strncmp(rest, " - cgroup2 ", 11) == 0) {
		char file[PATH_MAX], words[256] = "";
		FILE *f;

		snprintf(file, sizeof(file), "%s/cgroup.controllers", path);
		f = fopen(file, "re");
		if (f && !fgets(words, sizeof(words), f))
			words[0] = '\0';
		if (f)
			fclose(f);
		strcpy(point, path);
		return strstr(words, "memory") ? 2 : 0;
	}
	if (!strstr(rest, ",memory"))
		return 0;
	strcpy(point, path);
	return 1;
}

/* This process's own cgroup below a mount of version 1, if it is there. */
static void add_own(char path[PATH_MAX / 2])
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX / 2], own[PATH_MAX];

	while (f && fgets(line, sizeof(line), f)) {
		char *at = strstr(line, ":memory:");

		if (!at)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(own, sizeof(own), "%s%s", path, at + 8);
		if (access(own, F_OK) == 0 && strlen(own) < PATH_MAX / 2)
			strcpy(path, own);
	}
	if (f)
		fclose(f);
}

static void find_parent(struct limit *l)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[PATH_MAX];

	while (f && !l->version && fgets(line, sizeof(line), f))
		l->version = version_of(line, l->parent);
	if (f)
		fclose(f);
	if (l->version == 1)
		add_own(l->parent);
}

/* -- life ------------------------------------------------------------------ */

static int refused(const struct limit *l, const char *what, int err,
                   struct err *e)
{
	return err_set(e, err, "%s in memory cgroup %s: %s; this needs root",
	               what, l->path, strerror(-err));
}

static int make_version1(struct limit *l, struct err *e)
{
	int err = put(l, "memory.limit_in_bytes", "%" PRIu64, l->bytes);

	if (err)
		return refused(l, "no limit can be set", err, e);
	(void)put(l, "memory.swappiness", "100");
	l->oom = (struct watch){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		                 .events = EPOLLIN,
		                 .ready = oom };
	l->oom_control =
		openat(l->dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	err = put(l, "cgroup.event_control", "%d %d", l->oom.fd,
	          l->oom_control);
	if (!err)
		err = put(l, "memory.oom_control", "1");
	if (!err)
		err = watch_start(l->reactor, &l->oom);
	return err ? refused(l, "no word of a lack of memory", err, e) : 0;
}

static int make_version2(struct limit *l, struct err *e)
{
	int err = put(l, "memory.high", "%" PRIu64, l->bytes);

	return err ? refused(l, "no limit can be set", err, e) : 0;
}

/* Children of the root may have limits only where it says so. */
static void allow_memory(const struct limit *l)
{
	struct limit parent = { .dir = open(l->parent,
		                            O_PATH | O_DIRECTORY | O_CLOEXEC) };

	if (parent.dir < 0)
		return;
	(void)put(&parent, "cgroup.subtree_control", "+memory");
	close(parent.dir);
}

static int make(struct limit *l, struct err *e)
{
	if (l->version == 2)
		allow_memory(l);
	snprintf(l->path, sizeof(l->path), "%s/causeway-run-%d", l->parent,
	         getpid());
	snprintf(l->procs, sizeof(l->procs), "%s/cgroup.procs", l->path);
	if (mkdir(l->path, 0755))
		return refused(l, "nothing can be made", -errno, e);
	l->dir = open(l->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->dir < 0)
		return refused(l, "nothing is there", -errno, e);
	return l->version == 1 ? make_version1(l, e) : make_version2(l, e);
}

int limit_create(struct reactor *r, uint64_t bytes, struct limit **out,
                 struct err *e)
{
	struct limit *l;
	int err;

	if (bytes < LIMIT_MIN)
		return err_set(e, -EINVAL,
		               "%" PRIu64 " bytes of local memory are too few: "
		               "at least 8M",
		               bytes);
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(e, -ENOMEM, "no memory for a limit");
	l->reactor = r;
	l->bytes = bytes;
	l->dir = l->oom_control = l->oom.fd = -1;
	l->tick.fire = tick;
	find_parent(l);
	err = l->version ? make(l, e)
	                 : err_set(e, -ENOSYS,
	                           "no memory cgroups are mounted: mount -t "
	                           "cgroup2 none /sys/fs/cgroup");
	if (!err)
		err = timer_start(r, &l->tick, TICK_MIN_NS);
	if (err) {
		limit_destroy(l);
		return err;
	}
	*out = l;
	return 0;
}

static void let_out(struct limit *l)
{
	char path[PATH_MAX];
	pid_t pids[PROCS_MAX];
	unsigned n = processes(l, pids);
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", l->parent);
	for (unsigned i = 0; i < n; i++) {
		f = fopen(path, "we");
		if (!f)
			return;
		fprintf(f, "%d\n", pids[i]);
		fclose(f);
	}
}

void limit_destroy(struct limit *l)
{
	if (!l)
		return;
	timer_stop(l->reactor, &l->tick);
	if (l->oom.ready && l->oom.fd >= 0) {
		watch_stop(l->reactor, &l->oom);
		close(l->oom.fd);
	}
	if (l->oom_control >= 0)
		close(l->oom_control);
	if (l->dir >= 0)
		close(l->dir);
	if (l->path[0]) {
		let_out(l);
		rmdir(l->path);
	}
	free(l);
}

const char *limit_procs(const struct limit *l)
{
	return l->procs;
}

void limit_stats(const struct limit *l, struct limit_stats *out)
{
	*out = l->stats;
	out->usage = usage(l);
	out->version = l->version;
}
