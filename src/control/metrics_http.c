/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libmicrohttpd without a thread of its own: core/listener accepts, the
 * library parses, its epoll descriptor is watched by the reactor and a timer
 * stands for its time-outs.
 */
#include "control/metrics_http.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/listener.h"
#include "core/reactor.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONTENT_TYPE                                                           \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"
#define CLIENT_MEMORY 16384u /* bytes: the longest head of a request */

struct metrics_http {
	struct reactor *reactor;
	struct listener listener;
	struct MHD_Daemon *daemon;
	struct watch watch;
	struct timer timer;
	void (*render)(void *ctx, FILE *f);
	void *ctx;
};

/* -- running the library --------------------------------------------------- */

static void step(struct metrics_http *m)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(m->daemon);
	if (MHD_get_timeout(m->daemon, &ms) == MHD_YES)
		timer_start(m->reactor, &m->timer, ms * NS_PER_MS);
	else
		timer_stop(m->reactor, &m->timer);
}

static void readable(struct watch *w, uint32_t events)
{
	(void)events;
	step(container_of(w, struct metrics_http, watch));
}

static void expired(struct timer *t)
{
	step(container_of(t, struct metrics_http, timer));
}

static void accepted(struct listener *l, int fd)
{
	struct metrics_http *m = container_of(l, struct metrics_http, listener);
	struct sockaddr_storage from = { 0 };
	socklen_t length = sizeof(from);

	if (getpeername(fd, (struct sockaddr *)&from, &length) != 0) {
		close(fd);
		return;
	}
	/* Takes the descriptor, also when it says no. */
	MHD_add_connection(m->daemon, fd, (struct sockaddr *)&from, length);
	step(m);
}

/* -- answers -------------------------------------------------------------- */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status,
                              void *text, size_t length, const char *type)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		length, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result queued;

	if (!r) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	queued = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status,
                              const char *words)
{
	char *text = strdup(words);

	return text ? answer(c, status, text, strlen(text), "text/plain")
	            : MHD_NO;
}

static enum MHD_Result asked(void *ctx, struct MHD_Connection *c,
                             const char *url, const char *method,
                             const char *version, const char *upload,
                             size_t *upload_size, void **state)
{
	struct metrics_http *m = ctx;
	char *text = NULL;
	size_t length = 0;
	FILE *f;

	(void)version;
	(void)upload;
	(void)state;
	if (*upload_size)
		return MHD_NO;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
	if (strcmp(url, "/metrics") != 0)
		return refuse(c, MHD_HTTP_NOT_FOUND, "it is at /metrics\n");
	f = open_memstream(&text, &length);
	if (!f)
		return MHD_NO;
	m->render(m->ctx, f);
	if (fclose(f) != 0) {
		free(text);
		return MHD_NO;
	}
	return answer(c, MHD_HTTP_OK, text, length, CONTENT_TYPE);
}

/* -- open and close ------------------------------------------------------- */

static bool is_loopback(const char *address)
{
	static const char *const hosts[] = { "127.", "localhost:", "[::1]:" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (strncmp(address, hosts[i], strlen(hosts[i])) == 0)
			return true;
	return false;
}

static int start(struct metrics_http *m, struct err *e)
{
	const union MHD_DaemonInfo *info;

	m->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, asked,
		m, MHD_OPTION_CONNECTION_LIMIT, METRICS_HTTP_CLIENTS,
		MHD_OPTION_CONNECTION_TIMEOUT, METRICS_HTTP_TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY,
		MHD_OPTION_END);
	if (!m->daemon)
		return err_set(e, -ENOMEM, "cannot start the metrics' server");
	info = MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	m->watch = (struct watch){ .fd = info->epoll_fd,
		                   .events = EPOLLIN,
		                   .ready = readable };
	m->timer.fire = expired;
	if (watch_start(m->reactor, &m->watch)) {
		MHD_stop_daemon(m->daemon);
		return err_set(e, -ENOMEM, "cannot watch the metrics' server");
	}
	return 0;
}

int metrics_http_open(struct reactor *r, const char *address,
                      void (*render)(void *ctx, FILE *f), void *ctx,
                      struct metrics_http **out, struct err *e)
{
	bool is_unix = !strncmp(address, "unix:", 5);
	struct metrics_http *m;
	int err;

	if (!is_unix && !is_loopback(address))
		return err_set(e, -EINVAL,
		               "metrics at %.100s would be open to the "
		               "network; choose unix:PATH or an address of the "
		               "loopback, as in 127.0.0.1:9100",
		               address);
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(e, -ENOMEM, "no memory for metrics");
	m->reactor = r;
	m->render = render;
	m->ctx = ctx;
	m->listener.accepted = accepted;
	err = start(m, e);
	if (err)
		goto free_server;
	err = listener_open(r, &m->listener,
	                    is_unix ? LISTENER_UNIX : LISTENER_TCP,
	                    is_unix ? address + 5 : address, e);
	if (err)
		goto stop_server;
	*out = m;
	return 0;

stop_server:
	watch_stop(r, &m->watch);
	MHD_stop_daemon(m->daemon);
free_server:
	free(m);
	return err;
}

unsigned metrics_http_port(const struct metrics_http *m)
{
	return listener_port(&m->listener);
}

void metrics_http_close(struct metrics_http *m)
{
	if (!m)
		return;
	listener_close(&m->listener);
	timer_stop(m->reactor, &m->timer);
	watch_stop(m->reactor, &m->watch);
	MHD_stop_daemon(m->daemon);
	free(m);
}
