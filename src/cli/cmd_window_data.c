/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in a window: cat, put, cp.  The bytes go by libcauseway, through
 * the daemon of this node, and not through its control socket.
 *
 * A batch of slots is filled, from a window or from standard input, then
 * emptied, into a window or to standard output.
 */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/print.h"
#include "cli/request.h"

#include <causeway/causeway.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#define SLOTS 8u
#define SLOT (UINT64_C(1) << 20) /* bytes */
#define BATCH (SLOTS * SLOT)
#define REST_MS 20
#define REFUSALS_MAX 3000u /* a minute of them */

struct mover {
	struct cli *cli;
	struct causeway *context;
	struct causeway_region *region; /* BATCH bytes */
	struct causeway_queue *queue;
	struct causeway_window *from, *to; /* NULL: stdin, stdout */
	uint64_t offset;                   /* of the option, in the window */
};

static int fail(struct cli *cli, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct cli *cli, int err, const char *fmt, ...)
{
	struct rpc_error error;
	struct err e = { 0 };
	char text[sizeof(e.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(&e, err, "%s", text);
	rpc_error_set(&error, &e, rpc_class_of(err));
	return cli_fail(cli, &error);
}

/* -- open and close -------------------------------------------------------- */

static int open_context(struct mover *m)
{
	AUTO_FREE char *path = request_window_socket(m->cli);
	int err;

	if (!path)
		return fail(m->cli, -ENOMEM, "out of memory");
	err = causeway_open(path, &m->context);
	if (err)
		return fail(m->cli, err,
		            "cannot reach the daemon at %s: %s; start it with "
		            "'causewayd --state DIR', or say where it is with "
		            "--socket DIR/control.sock",
		            path, strerror(-err));
	err = causeway_region_create(
		m->context, BATCH, CAUSEWAY_READ | CAUSEWAY_WRITE, &m->region);
	if (!err)
		err = causeway_queue_create(m->context, SLOTS, &m->queue);
	return err ? fail(m->cli, err, "%s", causeway_error(m->context)) : 0;
}

/* What helps, where an operator can help. */
static const char *advice(int err)
{
	switch (err) {
	case -ENOENT:
		return "there is no such window; 'causeway window list' on "
		       "that node shows those there are";
	case -EACCES:
		return "this is not allowed; 'causeway window grant' on that "
		       "node allows it";
	case -EHOSTUNREACH:
		return "that node is not known, or away; see 'causeway node "
		       "list'";
	default:
		return NULL;
	}
}

static int open_window(struct mover *m, const char *name, unsigned rights,
                       struct causeway_window **out)
{
	int err = causeway_window_open(m->context, name, rights, out);
	const char *words = advice(err);

	if (!err)
		return 0;
	if (!words)
		words = causeway_error(m->context);
	return fail(m->cli, err, "window %s: %s", name,
	            *words ? words : strerror(-err));
}

static void end(struct mover *m)
{
	causeway_window_close(m->from);
	causeway_window_close(m->to);
	causeway_queue_destroy(m->queue);
	causeway_region_destroy(m->region);
	causeway_close(m->context);
}

/* -- batches --------------------------------------------------------------- */

/* [at, at + length) of a window, from or to the start of the region. */
struct batch {
	struct causeway_window *window;
	bool write;
	uint64_t at;
	uint64_t length;
	unsigned under_way; /* commands; number i has the i-th SLOT bytes */
	unsigned refusals;  /* for their number per second, in a row */
};

static int submit(struct mover *m, struct batch *b, uint64_t i)
{
	uint64_t from = i * SLOT;
	uint64_t some = b->length - from < SLOT ? b->length - from : SLOT;
	int slot = b->write ? causeway_write(m->queue, i, m->region, from,
	                                     b->window, b->at + from, some)
	                    : causeway_read(m->queue, i, m->region, from,
	                                    b->window, b->at + from, some);

	if (slot < 0)
		return fail(m->cli, slot, "%s", causeway_error(m->context));
	b->under_way++;
	return 0;
}

static void rest(void)
{
	struct timespec t = { .tv_nsec = REST_MS * 1000000L };

	nanosleep(&t, NULL);
}

/* A grant's quota slows down, and does not fail. */
static int take(struct mover *m, struct batch *b,
                const struct causeway_completion *done)
{
	bool later =
		done->status == CAUSEWAY_QUOTA || done->status == CAUSEWAY_BUSY;

	b->under_way--;
	if (done->status == CAUSEWAY_OK) {
		b->refusals = 0;
		return 0;
	}
	if (later && ++b->refusals < REFUSALS_MAX) {
		rest();
		return submit(m, b, done->id);
	}
	return fail(m->cli, later ? -EAGAIN : -EIO, "the window refuses: %s",
	            causeway_status_text(done->status));
}

/* @return 0; an exit status, reported.  Nothing is under way then. */
static int move(struct mover *m, struct batch b)
{
	struct causeway_completion done[SLOTS];
	int status = 0;

	for (uint64_t i = 0; i * SLOT < b.length && !status; i++)
		status = submit(m, &b, i);
	while (b.under_way > 0) {
		int got = causeway_wait(m->queue, done, SLOTS, -1);

		if (got < 0)
			return fail(m->cli, -EAGAIN,
			            "the daemon has ended; start it again");
		for (int i = 0; i < got; i++) {
			if (status)
				b.under_way--;
			else
				status = take(m, &b, &done[i]);
		}
	}
	return status;
}

static int from_window(struct mover *m, uint64_t at, uint64_t length)
{
	return move(m, (struct batch){
			       .window = m->from, .at = at, .length = length });
}

static int to_window(struct mover *m, uint64_t at, uint64_t length)
{
	return move(m, (struct batch){ .window = m->to,
	                               .write = true,
	                               .at = at,
	                               .length = length });
}

static int print_bytes(struct mover *m, uint64_t bytes)
{
	struct json_object *reply;

	if (!m->cli->json)
		return RPC_OK;
	reply = json_object_new_object();
	json_object_object_add(reply, "bytes", json_object_new_uint64(bytes));
	cli_print_json(m->cli, reply);
	json_object_put(reply);
	return RPC_OK;
}

/* -- the commands ---------------------------------------------------------- */

/*
 * The part of a window that the options name.
 * @return 0; an exit status, reported.
 */
static int part_of(struct mover *m, const struct causeway_window *w,
                   uint64_t *length)
{
	uint64_t size = causeway_window_length(w), wanted = UINT64_MAX;
	int status = request_size_option(m->cli, "offset", &m->offset);

	if (!status)
		status = request_size_option(m->cli, "length", &wanted);
	if (status)
		return status;
	if (m->offset > size ||
	    (wanted != UINT64_MAX && wanted > size - m->offset))
		return fail(m->cli, -EINVAL,
		            "that is outside of the window, which has %ju "
		            "bytes",
		            (uintmax_t)size);
	*length = wanted == UINT64_MAX ? size - m->offset : wanted;
	return 0;
}

static int cat(struct mover *m)
{
	uint64_t length = 0;
	int status = open_window(m, m->cli->words[0], CAUSEWAY_READ, &m->from);

	if (!status)
		status = part_of(m, m->from, &length);
	for (uint64_t at = 0; at < length && !status; at += BATCH) {
		uint64_t some = length - at < BATCH ? length - at : BATCH;

		status = from_window(m, m->offset + at, some);
		if (!status && fwrite(causeway_region_data(m->region), 1, some,
		                      m->cli->out) != some)
			status = fail(m->cli, -EIO, "cannot write: %s",
			              strerror(errno));
	}
	return status;
}

static int put(struct mover *m)
{
	uint64_t room = 0, at = 0;
	size_t some = BATCH;
	int status = open_window(m, m->cli->words[0], CAUSEWAY_WRITE, &m->to);

	if (!status)
		status = part_of(m, m->to, &room);
	while (!status && some == BATCH) {
		some = fread(causeway_region_data(m->region), 1, BATCH, stdin);
		if (ferror(stdin))
			status = fail(m->cli, -EIO, "cannot read: %s",
			              strerror(errno));
		else if (some > room - at)
			status = fail(m->cli, -ENOSPC,
			              "there is more input than room in the "
			              "window; %ju bytes were put",
			              (uintmax_t)at);
		else
			status = to_window(m, m->offset + at, some);
		if (!status)
			at += some;
	}
	return status ? status : print_bytes(m, at);
}

static int copy(struct mover *m)
{
	uint64_t length;
	int status = open_window(m, m->cli->words[0], CAUSEWAY_READ, &m->from);

	if (!status)
		status = open_window(m, m->cli->words[1], CAUSEWAY_WRITE,
		                     &m->to);
	if (status)
		return status;
	length = causeway_window_length(m->from);
	if (length > causeway_window_length(m->to))
		return fail(m->cli, -ENOSPC,
		            "window %s has %ju bytes, and %s only %ju; nothing "
		            "was copied",
		            m->cli->words[0], (uintmax_t)length,
		            m->cli->words[1],
		            (uintmax_t)causeway_window_length(m->to));
	for (uint64_t at = 0; at < length && !status; at += BATCH) {
		uint64_t some = length - at < BATCH ? length - at : BATCH;

		status = from_window(m, at, some);
		if (!status)
			status = to_window(m, at, some);
	}
	return status ? status : print_bytes(m, length);
}

static int with_mover(struct cli *cli, int (*run)(struct mover *m))
{
	struct mover m = { .cli = cli };
	int status = open_context(&m);

	if (!status)
		status = run(&m);
	end(&m);
	return status;
}

int cmd_window_cat(struct cli *cli)
{
	if (cli->json)
		return cli_usage(cli, "what cat prints is the window's bytes");
	return with_mover(cli, cat);
}

int cmd_window_put(struct cli *cli)
{
	return with_mover(cli, put);
}

int cmd_window_cp(struct cli *cli)
{
	return with_mover(cli, copy);
}
