/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/stream_priv.h"

#include "base/base.h"
#include "base/clock.h"
#include "rpc/message.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define READ_SIZE 16384u    /* bytes asked for at a time */
#define KEEP_SIZE READ_SIZE /* a larger buffer is not kept while idle */

/* -- buffers -------------------------------------------------------------- */

static size_t buffer_length(const struct stream_buffer *b)
{
	return b->end - b->start;
}

/* Make room for `n` bytes behind the end. */
static int buffer_reserve(struct stream_buffer *b, size_t n)
{
	size_t length = buffer_length(b);
	size_t size = b->size ? b->size : READ_SIZE;
	char *data;

	if (b->size - b->end >= n)
		return 0;
	if (b->start > 0) {
		memmove(b->data, b->data + b->start, length);
		b->start = 0;
		b->end = length;
	}
	while (size - length < n)
		size *= 2;
	if (size == b->size)
		return 0;
	data = realloc(b->data, size);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->size = size;
	return 0;
}

static void buffer_free(struct stream_buffer *b)
{
	free(b->data);
	*b = (struct stream_buffer){ 0 };
}

static void buffer_consume(struct stream_buffer *b, size_t n)
{
	b->start += n;
	if (b->start < b->end)
		return;
	b->start = 0;
	b->end = 0;
	if (b->size > KEEP_SIZE)
		buffer_free(b);
}

/* -- waiting -------------------------------------------------------------- */

static bool unseen(const struct stream *s)
{
	return buffer_length(&s->in) > s->scanned;
}

static bool blocked(const struct stream *s)
{
	return (s->max_owed && s->owed >= s->max_owed) ||
	       (s->max_unsent && buffer_length(&s->out) > s->max_unsent);
}

/* The peer sends no more and everything has been answered. */
static bool finished(const struct stream *s)
{
	return s->eof && !s->owed && !unseen(s) && !buffer_length(&s->out);
}

static void update_events(struct stream *s)
{
	uint32_t events = 0;

	if (!blocked(s) && !s->eof)
		events |= EPOLLIN;
	/* What came while blocked, and the end, wait for the next event; a
	 * writable socket is one. */
	if (buffer_length(&s->out) || finished(s) || (unseen(s) && !blocked(s)))
		events |= EPOLLOUT;
	if (events != s->watch.events)
		watch_modify(s->reactor, &s->watch, events);
}

static void update_timer(struct stream *s)
{
	uint64_t now = clock_now_ns();
	uint64_t since;

	/* Our own slowness is not the peer's. */
	if (!s->frame.length || blocked(s))
		s->in_since_ns = 0;
	else if (!s->in_since_ns)
		s->in_since_ns = now;

	since = s->in_since_ns;
	if (s->out_since_ns && (!since || s->out_since_ns < since))
		since = s->out_since_ns;
	if (!since || !s->stall_ns)
		timer_stop(s->reactor, &s->timer);
	else
		timer_start(s->reactor, &s->timer,
		            since + s->stall_ns > now
		                    ? since + s->stall_ns - now
		                    : 0);
}

static void update(struct stream *s)
{
	if (s->closed || s->ended)
		return;
	update_events(s);
	update_timer(s);
}

static void end(struct stream *s, const struct err *e)
{
	if (s->ended || s->closed)
		return;
	s->ended = true;
	watch_stop(s->reactor, &s->watch);
	timer_stop(s->reactor, &s->timer);
	s->ops->ended(s, e);
}

static void stalled(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, timer);
	uint64_t now = clock_now_ns();
	struct err e = { 0 };

	rpc_stream_hold(s);
	if (s->in_since_ns && now - s->in_since_ns >= s->stall_ns)
		err_set(&e, -ETIMEDOUT,
		        "a message was begun and not finished in time");
	else if (s->out_since_ns && now - s->out_since_ns >= s->stall_ns)
		err_set(&e, -ETIMEDOUT, "replies were not read in time");
	if (e.code)
		end(s, &e);
	update(s);
	rpc_stream_drop(s);
}

/* -- receiving ------------------------------------------------------------ */

static void explain(int code, struct err *e)
{
	if (code == -EPROTO)
		err_set(e, code, "a message must be one strict JSON object");
	else if (code == -EMSGSIZE)
		err_set(e, code, "a message is over %u bytes", RPC_MESSAGE_MAX);
	else if (code == -ELOOP)
		err_set(e, code, "a message is nested deeper than %u",
		        RPC_DEPTH_MAX);
	else
		err_set(e, code, "a message holds too many values");
}

/* One message, if there is a whole one.  @return 1, 0 or an error. */
static int take_message(struct stream *s, struct err *e)
{
	const char *text = s->in.data + s->in.start;
	struct json_object *message = NULL;
	size_t skip, used, length;
	int got;

	got = rpc_frame_scan(&s->frame, text + s->scanned,
	                     buffer_length(&s->in) - s->scanned, &skip, &used);
	if (got < 0) {
		explain(got, e);
		return got;
	}
	/* Blanks come only before a message, when nothing is kept yet. */
	if (skip)
		buffer_consume(&s->in, skip);
	s->scanned += used - skip;
	if (got == 0)
		return 0;

	length = s->frame.length;
	got = rpc_parse(s->in.data + s->in.start, length, &message, e);
	rpc_frame_next(&s->frame);
	s->scanned = 0;
	s->in_since_ns = 0;
	buffer_consume(&s->in, length);
	if (got < 0)
		return got;
	s->ops->message(s, message);
	json_object_put(message);
	return 1;
}

static void take_messages(struct stream *s)
{
	struct err e = { 0 };
	int got = 1;

	while (got > 0 && !s->ended && !s->closed && unseen(s) && !blocked(s))
		got = take_message(s, &e);
	if (got < 0)
		end(s, &e);
}

static void receive(struct stream *s)
{
	struct err e = { 0 };
	ssize_t n;

	if (buffer_reserve(&s->in, READ_SIZE)) {
		err_set(&e, -ENOMEM, "out of memory for a message");
		end(s, &e);
		return;
	}
	n = recv(s->watch.fd, s->in.data + s->in.end, s->in.size - s->in.end,
	         MSG_DONTWAIT);
	if (n > 0) {
		s->in.end += (size_t)n;
	} else if (n == 0) {
		s->eof = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		err_set(&e, -errno, "the connection broke: %s",
		        strerror(errno));
		end(s, &e);
	}
	if (buffer_length(&s->in) == 0)
		buffer_free(&s->in);
}

/* -- sending -------------------------------------------------------------- */

static void flush(struct stream *s)
{
	ssize_t n;

	while (buffer_length(&s->out)) {
		n = send(s->watch.fd, s->out.data + s->out.start,
		         buffer_length(&s->out), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		/* A broken connection is reported by the watch. */
		if (n <= 0)
			return;
		buffer_consume(&s->out, (size_t)n);
		s->out_since_ns = clock_now_ns();
	}
	s->out_since_ns = 0;
}

static void ready(struct watch *w, uint32_t events)
{
	struct stream *s = container_of(w, struct stream, watch);

	rpc_stream_hold(s);
	if (events & EPOLLOUT)
		flush(s);
	if (events & EPOLLIN)
		receive(s);
	take_messages(s);
	/* After half a close the peer still waits for its answers; when both
	 * halves are closed nobody does. */
	if (finished(s) ||
	    ((events & (EPOLLHUP | EPOLLERR)) && !(events & EPOLLIN)))
		end(s, &(struct err){ 0 });
	update(s);
	rpc_stream_drop(s);
}

/* -- the owner's side ----------------------------------------------------- */

int rpc_stream_open(struct stream *s, struct reactor *r, int fd,
                    const struct stream_ops *ops, unsigned max_values)
{
	int err;

	*s = (struct stream){
		.ops = ops,
		.reactor = r,
		.watch = { .fd = fd, .events = EPOLLIN, .ready = ready },
		.timer = { .fire = stalled },
		.frame = { .max_values = max_values },
	};
	err = watch_start(r, &s->watch);
	if (err) {
		close(fd);
		s->watch.fd = -1;
	}
	return err;
}

void rpc_stream_close(struct stream *s)
{
	if (s->closed)
		return;
	if (!s->ended) {
		watch_stop(s->reactor, &s->watch);
		timer_stop(s->reactor, &s->timer);
	}
	s->closed = true;
	close(s->watch.fd);
	buffer_free(&s->out);
	rpc_stream_hold(s);
	rpc_stream_drop(s);
}

void rpc_stream_hold(struct stream *s)
{
	s->held++;
}

void rpc_stream_drop(struct stream *s)
{
	if (--s->held || !s->closed)
		return;
	buffer_free(&s->in);
	s->ops->released(s);
}

int rpc_stream_send(struct stream *s, struct json_object *message)
{
	const char *text;
	size_t n;

	if (s->closed || s->ended) {
		json_object_put(message);
		return 0;
	}
	text = json_object_to_json_string_length(
		message,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
	if (!text || n > RPC_MESSAGE_MAX ||
	    buffer_reserve(&s->out, n + 1) != 0) {
		json_object_put(message);
		return text && n > RPC_MESSAGE_MAX ? -EMSGSIZE : -ENOMEM;
	}
	memcpy(s->out.data + s->out.end, text, n);
	s->out.data[s->out.end + n] = '\n';
	s->out.end += n + 1;
	json_object_put(message);
	if (!s->out_since_ns)
		s->out_since_ns = clock_now_ns();
	flush(s);
	update(s);
	return 0;
}

size_t rpc_stream_unsent(const struct stream *s)
{
	return buffer_length(&s->out);
}
