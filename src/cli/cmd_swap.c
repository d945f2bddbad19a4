/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `causeway swap on|off|status`: far memory for the kernel's own swap.
 *
 * The device is the kernel's: it lives as long as the kernel swaps to it, and
 * the processes behind it end when it goes (kswap/keeper), so that nothing
 * has to be remembered here.
 */
#include "cli/cli.h"

#include "base/base.h"
#include "base/clock.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/swap.h"
#include "kswap/area.h"
#include "kswap/fuse_file.h"
#include "rpc/client.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRIORITY 10
#define PRIORITY_MAX 32767
#define POLL_US 10000
#define STATUS_MS 5000u
#define END_MS 10000u

/* A file beside the control socket; the caller's to free. */
static char *beside(const struct cli *cli, const char *name)
{
	const char *slash = strrchr(cli->socket, '/');
	char *path;

	if (asprintf(&path, "%.*s%s",
	             slash ? (int)(slash + 1 - cli->socket) : 0, cli->socket,
	             name) < 0)
		return NULL;
	return path;
}

static int failed(struct cli *cli, const struct err *e)
{
	struct rpc_error error;

	rpc_error_set(&error, e, rpc_class_of(e->code));
	return cli_fail(cli, &error);
}

/* What the keeper here says; NULL: there is none, or it is there and silent. */
static struct json_object *ask_keeper(struct cli *cli, bool *silent)
{
	AUTO_FREE char *socket = beside(cli, "swap.sock");
	struct json_object *reply = NULL;
	struct rpc_error error;
	struct rpc_sync sync;
	struct err e = { 0 };

	*silent = false;
	if (!socket || rpc_sync_open(socket, &sync, &e) != 0)
		return NULL;
	if (rpc_sync_call(&sync, SWAP_STATUS, NULL, STATUS_MS, &reply,
	                  &error)) {
		*silent = strcmp(error.code, "ETIMEDOUT") == 0;
		reply = NULL;
	}
	rpc_sync_close(&sync);
	return reply;
}

/* The area of this node: its keeper's, or one whose keeper has died.
 * @return whether there is one. */
static bool find_area(struct json_object *keeper, struct area *out)
{
	struct area all[AREAS_MAX];
	unsigned n = area_list(all, AREAS_MAX);

	for (unsigned i = 0; i < n; i++) {
		bool ours = keeper && print_number(keeper, "keeper") ==
		                              (uint64_t)all[i].owner;

		if (ours || (!keeper && !area_is_served(&all[i]))) {
			*out = all[i];
			return true;
		}
	}
	return false;
}

/* -- on -------------------------------------------------------------------- */

struct on {
	struct cli *cli;
	struct donors donors;
	uint64_t size;
	uint64_t priority;
	struct shared *shared;
	int shared_fd;
	int device;
	int mount;
	pid_t keeper;
	char path[LOOP_PATH];
};

static int take_options(struct on *o)
{
	struct cli *cli = o->cli;
	int status = request_size_option(cli, "size", &o->size);

	if (!status)
		status = request_number_option(cli, "priority", &o->priority);
	if (status)
		return status;
	if (!cli_option(cli, "size"))
		return cli_usage(cli, "--size is missing: how much may the "
		                      "kernel swap out?");
	o->size &= ~(FAR_PAGE - 1);
	if (o->size < AREA_MIN)
		return cli_usage(cli, "--size is at least 1M");
	if (o->priority > PRIORITY_MAX)
		return cli_usage(cli, "--priority is at most %d", PRIORITY_MAX);
	return donors_take(cli, "what is swapped out", &o->donors);
}

static int start_keeper(struct on *o, struct err *e)
{
	AUTO_FREE char *socket = beside(o->cli, "swap.sock");
	AUTO_FREE char *log = beside(o->cli, "swap.log");
	AUTO_FREE char *window = request_window_socket(o->cli);
	struct swap_keeper k = { socket,    window,       log,      &o->donors,
		                 o->device, o->shared_fd, o->shared };

	if (!socket || !log || !window)
		return err_set(e, -ENOMEM, "out of memory");
	o->keeper = fork();
	if (o->keeper < 0)
		return err_set(e, -errno, "cannot start a process: %s",
		               strerror(errno));
	if (o->keeper == 0) {
		close(o->mount);
		swap_keep(&k);
	}
	return 0;
}

static int wait_for_worker(struct on *o, struct err *e)
{
	for (;;) {
		enum shared_state state = shared_state(o->shared);

		if (state == SHARED_SERVING)
			return 0;
		if (state == SHARED_FAILED) {
			o->shared->error[sizeof(o->shared->error) - 1] = '\0';
			return err_set(e, o->shared->code, "%s",
			               o->shared->error);
		}
		if (waitpid(o->keeper, NULL, WNOHANG) == o->keeper)
			return err_set(e, -EIO,
			               "the process that serves the swap "
			               "device does not stay alive; see "
			               "swap.log beside the control socket");
		usleep(POLL_US);
	}
}

/* The kernel's half.  What is open here closes, and a device that the kernel
 * does not swap to is then gone. */
static int make_area(struct on *o, struct err *e)
{
	AUTO_CLOSE int file = fuse_file_open(o->mount);
	AUTO_CLOSE int loop = -1;
	int err;

	o->mount = -1;
	if (file < 0)
		return err_set(e, file,
		               "the file that is served does not "
		               "open: %s",
		               strerror(-file));
	err = loop_attach(file, o->keeper, o->path, &loop, e);
	if (!err)
		err = area_format(loop, o->size, e);
	if (!err)
		err = area_on(o->path, (int)o->priority, e);
	return err;
}

static int turn_on(struct on *o, struct err *e)
{
	int err = shared_create(o->size, cli_option(o->cli, "encrypt"),
	                        &o->shared_fd, &o->shared, e);

	if (!err)
		err = fuse_file_create(&o->device, &o->mount, e);
	if (!err)
		err = start_keeper(o, e);
	if (err)
		return err;
	close(o->device); /* the keeper's alone from here on */
	o->device = -1;
	err = wait_for_worker(o, e);
	return err ? err : make_area(o, e);
}

static void warn_reserve(struct cli *cli)
{
	unsigned kib;

	if (area_reserve_is_small(&kib))
		fprintf(cli->err,
		        "causeway: vm.min_free_kbytes is %u: without free "
		        "memory the kernel may not have enough for packets, "
		        "and stop; 'sysctl vm.min_free_kbytes=%u'\n",
		        kib, AREA_RESERVE_KIB);
}

static void warn(struct cli *cli, const struct realtime_got *got)
{
	if (got->locked)
		fprintf(cli->err,
		        "causeway: the serving process is not locked in memory "
		        "(%s): it may wait for the memory that it has to "
		        "free\n",
		        strerror(-got->locked));
	if (got->fifo)
		fprintf(cli->err,
		        "causeway: the serving process has no real-time "
		        "priority (%s): under great pressure it may come to a "
		        "stop; give it CAP_SYS_NICE\n",
		        strerror(-got->fifo));
}

static int print_on(struct on *o)
{
	struct json_object *reply;
	char size[24];

	warn(o->cli, &o->shared->guard);
	if (!cli_option(o->cli, "store"))
		warn_reserve(o->cli);
	if (!o->cli->json) {
		fprintf(o->cli->out, "the kernel swaps to %s, %s\n", o->path,
		        print_size(o->size, size));
		return RPC_OK;
	}
	reply = request_new("device", o->path);
	request_add_number(reply, "size", o->size);
	cli_print_json(o->cli, reply);
	json_object_put(reply);
	return RPC_OK;
}

int cmd_swap_on(struct cli *cli)
{
	struct on o = { .cli = cli,
		        .priority = PRIORITY,
		        .shared_fd = -1,
		        .device = -1,
		        .mount = -1 };
	bool silent;
	struct json_object *keeper = ask_keeper(cli, &silent);
	struct err e = { 0 };
	int status = take_options(&o);

	if (!status && (keeper || silent)) {
		err_set(&e, -EEXIST,
		        "this node has a swap device already; end it with "
		        "'causeway swap off' first");
		status = failed(cli, &e);
	}
	if (!status)
		status = turn_on(&o, &e) ? failed(cli, &e) : print_on(&o);
	if (o.mount >= 0)
		close(o.mount);
	if (o.device >= 0)
		close(o.device);
	if (o.shared_fd >= 0)
		close(o.shared_fd);
	shared_detach(o.shared);
	donors_free(&o.donors);
	json_object_put(keeper);
	return status;
}

/* -- off ------------------------------------------------------------------- */

static int no_device(struct cli *cli, bool silent)
{
	struct err e = { 0 };

	if (silent)
		err_set(&e, -ETIMEDOUT,
		        "the process that serves this node's swap device does "
		        "not answer; see swap.log beside the control socket, "
		        "and try again");
	else
		err_set(&e, -ENOENT,
		        "this node has no swap device; make one with "
		        "'causeway swap on'");
	return failed(cli, &e);
}

static int check_room(const struct area *a, struct err *e)
{
	char used[24], has[24], more[24];
	struct area_room room;

	if (area_room(a, &room))
		return 0;
	return err_set(e, -ENOSPC,
	               "memory would not hold what is away: %s are, and with "
	               "what the machine needs beside them that is more than "
	               "the %s of memory that could be had and %s of other "
	               "swap; end some programs first",
	               print_size(a->used, used),
	               print_size(room.available, has),
	               print_size(room.elsewhere, more));
}

/* The keeper sees that the file is gone, and ends. */
static void wait_for_end(struct json_object *keeper)
{
	pid_t pid = (pid_t)print_number(keeper, "keeper");
	uint64_t end = clock_now_ns() + END_MS * NS_PER_MS;

	while (pid > 0 && kill(pid, 0) == 0 && clock_now_ns() < end)
		usleep(POLL_US);
}

int cmd_swap_off(struct cli *cli)
{
	bool silent;
	struct json_object *keeper = ask_keeper(cli, &silent);
	struct area a = { .path = "" };
	struct err e = { 0 };
	char used[24];
	int status = 0;

	if (silent || !find_area(keeper, &a))
		status = no_device(cli, silent);
	else if (check_room(&a, &e) || area_off(a.path, &e))
		status = failed(cli, &e);
	if (!status) {
		wait_for_end(keeper);
		if (cli->json)
			cli_print_json(cli, NULL);
		else
			fprintf(cli->out,
			        "%s is no swap device any more; %s "
			        "came back\n",
			        a.path, print_size(a.used, used));
	}
	json_object_put(keeper);
	return status;
}

/* -- status ---------------------------------------------------------------- */

static void print_way(FILE *f, struct json_object *o, const char *key)
{
	struct json_object *way = print_member(o, key);
	char p50[24], p99[24], max[24];

	fprintf(f,
	        "  %-6s %" PRIu64 " requests, %" PRIu64 " pages; p50 %s, p99 "
	        "%s, longest %s; %" PRIu64 " failed, %" PRIu64 " too late\n",
	        key, print_number(way, "requests"), print_number(way, "pages"),
	        print_time(print_number(way, "p50_ns"), p50),
	        print_time(print_number(way, "p99_ns"), p99),
	        print_time(print_number(way, "max_ns"), max),
	        print_number(way, "errors"), print_number(way, "late"));
}

static const struct {
	const char *key;
	const char *what;
	const char *next;
} guards[] = {
	{ "locked", "the serving process is locked in memory",
	  "raise its RLIMIT_MEMLOCK" },
	{ "fifo", "it has real-time priority", "give it CAP_SYS_NICE" },
	{ "pinned", "it has a CPU of its own choice", "give it CAP_SYS_NICE" },
	{ "io_flusher", "the kernel knows it for an I/O flusher",
	  "give it CAP_SYS_RESOURCE" },
};

static void print_guards(FILE *f, struct json_object *o)
{
	struct json_object *guard = print_member(o, "guard");

	for (size_t i = 0; i < ARRAY_LEN(guards); i++) {
		const char *text = print_text(guard, guards[i].key);
		bool yes = strcmp(text, "yes") == 0;

		fprintf(f, "  %-4s %s", yes ? "yes" : "no", guards[i].what);
		if (!yes) {
			fputs(": ", f);
			print_words(f, text);
			fprintf(f, "; %s", guards[i].next);
		}
		fputc('\n', f);
	}
}

/* @return whether one is lost. */
static bool print_donors(FILE *f, struct json_object *o)
{
	struct json_object *list = print_member(o, "donors");
	bool lost = false;

	for (size_t i = 0; i < print_length(list); i++) {
		struct json_object *d = print_at(list, i);
		bool up = strcmp(print_text(d, "state"), "up") == 0;

		lost = lost || !up;
		if (!f)
			continue;
		fprintf(f, "  donor ");
		print_words(f, print_text(d, "name"));
		fprintf(f, ": %s", print_text(d, "state"));
		if (!up) {
			fputs(", ", f);
			print_words(f, print_text(d, "why"));
		}
		fputc('\n', f);
	}
	return lost;
}

static void print_status(FILE *f, const struct area *a,
                         struct json_object *keeper)
{
	char size[24], used[24], away[24];

	fprintf(f, "%s: %s, of which %s are used", a->path,
	        print_size(a->size, size), print_size(a->used, used));
	if (!keeper) {
		fprintf(f,
		        "; nobody serves it any more: what was in it is lost; "
		        "end it with 'causeway swap off'\n");
		return;
	}
	fprintf(f,
	        ", %s of it on donors; served by process %" PRIu64
	        " (worker %" PRIu64 "), %s\n",
	        print_size(print_number(keeper, "away"), away),
	        print_number(keeper, "worker"), print_number(keeper, "workers"),
	        print_number(keeper, "spare") ? "another stands by"
	                                      : "none stands by yet");
	print_way(f, keeper, "read");
	print_way(f, keeper, "write");
	print_guards(f, keeper);
}

int cmd_swap_status(struct cli *cli)
{
	bool silent, lost;
	struct json_object *keeper = ask_keeper(cli, &silent), *o;
	struct area a;

	if (silent || !find_area(keeper, &a)) {
		json_object_put(keeper);
		return no_device(cli, silent);
	}
	if (cli->json) {
		o = keeper ? json_object_get(keeper) : json_object_new_object();
		request_add(o, "device", a.path);
		request_add_number(o, "size", a.size);
		request_add_number(o, "used", a.used);
		cli_print_json(cli, o);
		json_object_put(o);
	} else {
		print_status(cli->out, &a, keeper);
	}
	lost = print_donors(cli->json ? NULL : cli->out, keeper);
	lost = lost || print_number(keeper, "worker") == 0;
	json_object_put(keeper);
	return lost ? RPC_DEGRADED : RPC_OK;
}
