/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One client's handshake, on the home reactor.
 *
 *            flags           header          data, answered
 *   FLAGS ---------> OPTION --------> DATA -----------------> OPTION
 *                    | ^  \ too large                           |
 *                    | |   +--> SKIP -- discarded, answered ----+
 *                    | +------- LIST: replies that go out in turns
 *                    |
 *         ABORT -> END: the last reply goes out, then the end
 *         GO    -> GO:  the last reply goes out, then to a worker
 *
 * Input is read only when all output is sent, and only as much as the state
 * expects: what a client sends after GO stays in the socket for the worker.
 */
#include "base/clock.h"
#include "export/nbd_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT 4096u /* bytes: more than any option's replies, LIST's excepted */
#define SKIP_MAX (1u << 20) /* bytes of an option that we still discard */
#define TURNS 64            /* options in a row before others get a turn */

enum state {
	FLAGS,  /* expects the client's flags */
	OPTION, /* expects an option's header */
	DATA,   /* expects an option's data */
	SKIP,   /* discards an option's data */
	LIST,   /* lists exports as room for replies allows */
	GO,     /* sends the last reply before transmission */
	END,    /* sends the last reply before closing */
};

struct nbd_handshake {
	struct watch watch;
	struct timer timer;
	struct list link;
	struct nbd_server *server;
	struct nbd_listener *listener;
	struct nbd_export *export; /* GO: got */
	enum state state;
	bool waits_for_room; /* EPOLLOUT is watched */
	bool no_zeroes;
	bool structured;
	uint64_t context_export; /* id of that for which it was selected */
	uint64_t listed;         /* LIST: id of the last */
	struct nbd_option_head option;
	uint32_t in_length, skip;
	uint32_t out_length, out_sent;
	uint8_t in[NBD_OPTION_MAX];
	uint8_t out[OUT];
};
static_assert(sizeof(struct nbd_handshake) <= NBD_IDLE_MAX, "see nbd.h");

/* Ends it without `h->watch.fd`, which the caller has closed or passed on. */
static void forget(struct nbd_handshake *h)
{
	struct nbd_server *s = h->server;

	watch_stop(s->home, &h->watch);
	timer_stop(s->home, &h->timer);
	list_remove(&h->link);
	s->stats.held -= sizeof(*h);
	free(h);
}

static void end(struct nbd_handshake *h)
{
	struct nbd_server *s = h->server;
	struct nbd_export *x = h->export;
	int fd = h->watch.fd;

	forget(h);
	close(fd);
	s->stats.connections--;
	if (x)
		nbd_export_put(x);
}

static void reject(struct nbd_handshake *h)
{
	h->server->stats.rejected++;
	end(h);
}

/* -- replies -------------------------------------------------------------- */

static void *room(struct nbd_handshake *h, size_t n)
{
	assert(h->out_length + n <= OUT);
	return h->out + h->out_length;
}

static void reply(struct nbd_handshake *h, uint32_t type, const char *message)
{
	size_t n = sizeof(struct nbd_reply_header) +
	           (message ? strlen(message) : 0);

	h->out_length += (uint32_t)nbd_encode_reply(h->option.option, type,
	                                            message, room(h, n));
}

static uint16_t flags_of(const struct nbd_handshake *h,
                         const struct nbd_export *x)
{
	unsigned flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH |
	                 NBD_FLAG_SEND_FUA | NBD_FLAG_CAN_MULTI_CONN;

	flags |= x->info.read_only
	                 ? NBD_FLAG_READ_ONLY
	                 : NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES;
	if (h->structured)
		flags |= NBD_FLAG_SEND_DF;
	return (uint16_t)flags;
}

static void list_some(struct nbd_handshake *h)
{
	size_t most = sizeof(struct nbd_reply_header) + sizeof(be32) +
	              2 * NBD_NAME_MAX;

	LIST_FOREACH (node, &h->listener->exports) {
		struct nbd_export *x =
			list_entry(node, struct nbd_export, link);

		if (x->id <= h->listed)
			continue;
		if (h->out_length + most > OUT)
			return;
		h->out_length += (uint32_t)nbd_encode_server(
			x->info.name, x->info.description, room(h, most));
		h->listed = x->id;
	}
	if (h->out_length + most > OUT)
		return;
	reply(h, NBD_REP_ACK, NULL);
	h->state = OPTION;
}

/* -- options -------------------------------------------------------------- */

static void do_export_name(struct nbd_handshake *h)
{
	struct nbd_view name = { (char *)h->in, h->option.length };
	struct nbd_export *x = nbd_listener_lookup(h->listener, name);
	struct nbd_export_reply wire;

	if (!x) {
		h->state = END; /* the document allows no reply */
		return;
	}
	nbd_encode_export_reply(x->info.device->size, flags_of(h, x), &wire);
	h->out_length = h->no_zeroes ? offsetof(struct nbd_export_reply, zeroes)
	                             : sizeof(wire);
	memcpy(h->out, &wire, h->out_length);
	h->export = nbd_export_get(x);
	h->state = GO;
}

static void do_abort(struct nbd_handshake *h)
{
	reply(h, NBD_REP_ACK, NULL);
	h->state = END;
}

static void do_list(struct nbd_handshake *h)
{
	if (h->option.length) {
		reply(h, NBD_REP_ERR_INVALID, "LIST has no data");
		return;
	}
	h->listed = 0;
	h->state = LIST;
}

static void unknown_export(struct nbd_handshake *h, struct nbd_view name)
{
	reply(h, NBD_REP_ERR_UNKNOWN,
	      name.length ? "there is no export of this name"
	                  : "there are several exports: name one");
}

static void do_info(struct nbd_handshake *h)
{
	uint32_t option = h->option.option;
	struct nbd_info_query q;
	struct nbd_export *x;
	struct nbd_terms t;

	if (nbd_decode_info(h->in, h->option.length, &q)) {
		reply(h, NBD_REP_ERR_INVALID, "malformed INFO or GO");
		return;
	}
	x = nbd_listener_lookup(h->listener, q.name);
	if (!x) {
		unknown_export(h, q.name);
		return;
	}
	nbd_terms_of(x, &t);
	h->out_length += (uint32_t)nbd_encode_info_export(
		option, t.size, flags_of(h, x), room(h, 64));
	if (q.wants_name)
		h->out_length += (uint32_t)nbd_encode_info_text(
			option, NBD_INFO_NAME, x->info.name, room(h, 512));
	if (q.wants_description)
		h->out_length += (uint32_t)nbd_encode_info_text(
			option, NBD_INFO_DESCRIPTION, x->info.description,
			room(h, 512));
	h->out_length += (uint32_t)nbd_encode_info_block_size(
		option, t.grain, t.grain > 4096 ? t.grain : 4096, t.length_max,
		room(h, 64));
	reply(h, NBD_REP_ACK, NULL);
	if (option == NBD_OPT_GO) {
		h->export = nbd_export_get(x);
		h->state = GO;
	}
}

static void do_structured(struct nbd_handshake *h)
{
	if (h->option.length) {
		reply(h, NBD_REP_ERR_INVALID, "STRUCTURED_REPLY has no data");
		return;
	}
	h->structured = true;
	reply(h, NBD_REP_ACK, NULL);
}

static void do_meta(struct nbd_handshake *h)
{
	uint32_t option = h->option.option;
	bool list = option == NBD_OPT_LIST_META_CONTEXT;
	struct nbd_meta_query m;
	struct nbd_export *x;

	if (!list)
		h->context_export = 0;
	if (!h->structured ||
	    nbd_decode_meta(h->in, h->option.length, list, &m)) {
		reply(h, NBD_REP_ERR_INVALID,
		      h->structured ? "malformed query"
		                    : "ask for structured replies first");
		return;
	}
	x = nbd_listener_lookup(h->listener, m.name);
	if (!x) {
		unknown_export(h, m.name);
		return;
	}
	if (m.wants_allocation) {
		h->out_length += (uint32_t)nbd_encode_context(
			option, list ? 0 : NBD_CONTEXT_ID, room(h, 64));
		if (!list)
			h->context_export = x->id;
	}
	reply(h, NBD_REP_ACK, NULL);
}

static const struct {
	uint32_t option;
	void (*run)(struct nbd_handshake *h); /* data is complete in h->in */
} options[] = {
	{ NBD_OPT_EXPORT_NAME, do_export_name },
	{ NBD_OPT_ABORT, do_abort },
	{ NBD_OPT_LIST, do_list },
	{ NBD_OPT_INFO, do_info },
	{ NBD_OPT_GO, do_info },
	{ NBD_OPT_STRUCTURED_REPLY, do_structured },
	{ NBD_OPT_LIST_META_CONTEXT, do_meta },
	{ NBD_OPT_SET_META_CONTEXT, do_meta },
};

static void run_option(struct nbd_handshake *h)
{
	h->state = OPTION;
	h->in_length = 0;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (options[i].option == h->option.option) {
			options[i].run(h);
			return;
		}
	}
	reply(h, NBD_REP_ERR_UNSUP, NULL);
}

/* -- moving bytes --------------------------------------------------------- */

static void wait_for_room(struct nbd_handshake *h)
{
	if (!h->waits_for_room)
		watch_modify(h->server->home, &h->watch, EPOLLOUT);
	h->waits_for_room = true;
}

/* @return whether all output is sent; if not, `h` waits or is gone. */
static bool send_out(struct nbd_handshake *h)
{
	while (h->out_sent < h->out_length) {
		ssize_t n = send(h->watch.fd, h->out + h->out_sent,
		                 h->out_length - h->out_sent,
		                 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			wait_for_room(h);
			return false;
		}
		if (n < 0) {
			end(h);
			return false;
		}
		h->out_sent += (uint32_t)n;
	}
	h->out_sent = h->out_length = 0;
	if (h->waits_for_room) {
		watch_modify(h->server->home, &h->watch, EPOLLIN);
		h->waits_for_room = false;
	}
	return true;
}

static uint32_t wanted(const struct nbd_handshake *h)
{
	if (h->state == FLAGS)
		return sizeof(be32);
	if (h->state == OPTION)
		return sizeof(struct nbd_option_header);
	return h->state == SKIP ? h->skip : h->option.length;
}

/* @return whether something came; if not, `h` waits or is gone. */
static bool receive_in(struct nbd_handshake *h)
{
	uint32_t left = wanted(h) - h->in_length;
	ssize_t n;

	if (left > sizeof(h->in) - h->in_length)
		left = (uint32_t)sizeof(h->in) - h->in_length;
	if (left == 0)
		return true;
	do {
		n = recv(h->watch.fd, h->in + h->in_length, left, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		end(h);
		return false;
	}
	h->in_length += (uint32_t)n;
	return true;
}

static bool take_flags(struct nbd_handshake *h)
{
	be32 flags;

	memcpy(&flags, h->in, sizeof(flags));
	h->in_length = 0;
	h->state = OPTION;
	return nbd_decode_client_flags(flags, &h->no_zeroes) == 0;
}

static bool take_option(struct nbd_handshake *h)
{
	struct nbd_option_header header;

	memcpy(&header, h->in, sizeof(header));
	h->in_length = 0;
	if (nbd_decode_option(&header, &h->option))
		return false;
	h->state = DATA;
	if (h->option.length <= NBD_OPTION_MAX)
		return true;
	h->state = SKIP;
	h->skip = h->option.length;
	return h->skip <= SKIP_MAX && h->option.option != NBD_OPT_EXPORT_NAME;
}

static void take_skipped(struct nbd_handshake *h)
{
	h->skip -= h->in_length;
	h->in_length = 0;
	if (h->skip)
		return;
	h->state = OPTION;
	reply(h, NBD_REP_ERR_TOO_BIG, "this option is too long");
}

/* What has come, once it is enough.  @return false: `h` broke the rules. */
static bool digest(struct nbd_handshake *h)
{
	if (h->state == SKIP) {
		take_skipped(h);
		return true;
	}
	if (h->in_length < wanted(h))
		return true;
	if (h->state == FLAGS)
		return take_flags(h);
	if (h->state == OPTION)
		return take_option(h);
	run_option(h);
	return true;
}

static void go(struct nbd_handshake *h)
{
	struct nbd_export *x = h->export;
	bool structured = h->structured;
	bool context = h->context_export == x->id;
	int fd = h->watch.fd;

	forget(h);
	nbd_server_hand_over(x, fd, structured, context);
}

static void advance(struct nbd_handshake *h)
{
	for (int turn = 0; turn < TURNS; turn++) {
		if (!send_out(h))
			return;
		if (h->state == GO) {
			go(h);
			return;
		}
		if (h->state == END) {
			end(h);
			return;
		}
		if (h->state == LIST) {
			list_some(h);
			continue;
		}
		if (!receive_in(h))
			return;
		if (!digest(h)) {
			reject(h);
			return;
		}
	}
	wait_for_room(h); /* there is some: the next turn comes soon */
}

static void ready(struct watch *w, uint32_t events)
{
	(void)events;
	advance(container_of(w, struct nbd_handshake, watch));
}

static void expired(struct timer *t)
{
	struct nbd_handshake *h = container_of(t, struct nbd_handshake, timer);

	h->server->stats.timed_out++;
	end(h);
}

/* -- for the others ------------------------------------------------------- */

void nbd_handshake_cut(struct nbd_server *s, const struct nbd_listener *l,
                       const struct nbd_export *x)
{
	LIST_FOREACH (node, &s->handshakes) {
		struct nbd_handshake *h =
			list_entry(node, struct nbd_handshake, link);

		if ((!l || h->listener == l) && (!x || h->export == x))
			end(h);
	}
}

int nbd_handshake_start(struct nbd_listener *l, int fd)
{
	struct nbd_server *s = l->server;
	struct nbd_handshake *h;
	int err = -EMFILE;

	if (s->stats.connections >= s->connections_max) {
		s->stats.refused++;
		goto close_fd;
	}
	err = -ENOMEM;
	h = calloc(1, sizeof(*h));
	if (!h)
		goto close_fd;
	h->server = s;
	h->listener = l;
	h->timer.fire = expired;
	h->watch.fd = fd;
	h->watch.events = EPOLLIN;
	h->watch.ready = ready;
	err = timer_start(s->home, &h->timer, s->handshake_ms * NS_PER_MS);
	if (err)
		goto free_handshake;
	err = watch_start(s->home, &h->watch);
	if (err)
		goto stop_timer;
	nbd_encode_greeting((struct nbd_greeting *)h->out);
	h->out_length = sizeof(struct nbd_greeting);
	list_append(&s->handshakes, &h->link);
	s->stats.held += sizeof(*h);
	s->stats.accepted++;
	s->stats.connections++;
	advance(h);
	return 0;

stop_timer:
	timer_stop(s->home, &h->timer);
free_handshake:
	free(h);
close_fd:
	close(fd);
	return err;
}
