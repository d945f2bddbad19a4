/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/server_priv.h"

#include "base/base.h"
#include "base/clock.h"
#include "rpc/message.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define BACKLOG 64
#define RETRY_NS (100 * NS_PER_MS) /* after running out of descriptors */

void rpc_server_say(int fd, const char *text)
{
	struct iovec iov[2] = {
		{ .iov_base = (void *)(uintptr_t)text,
		  .iov_len = strlen(text) },
		{ .iov_base = (char[]){ '\n' }, .iov_len = 1 },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void turn_away(int fd, const struct err *e)
{
	struct json_object *m = rpc_failure_new(
		NULL, rpc_error_json(RPC_CODE_SERVER, e, RPC_TRY_AGAIN));

	if (m)
		rpc_server_say(fd, json_object_to_json_string_ext(
					   m, JSON_C_TO_STRING_PLAIN));
	json_object_put(m);
	close(fd);
}

static void incoming(struct watch *w, uint32_t events)
{
	struct rpc_server *s = container_of(w, struct rpc_server, watch);
	struct err e = { 0 };
	int fd;

	(void)events;
	fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		/* Level-triggered: without a pause this would spin. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			s->stats.n_refused++;
			watch_modify(s->reactor, w, 0);
			timer_start(s->reactor, &s->retry, RETRY_NS);
		}
		return;
	}
	if (s->stats.connections >= RPC_CONNECTIONS_MAX) {
		s->stats.n_refused++;
		err_set(&e, -EAGAIN,
		        "%u control connections are open, which is the limit; "
		        "try again when one has closed",
		        s->stats.connections);
		turn_away(fd, &e);
		return;
	}
	if (rpc_server_accept(s, fd, NULL, NULL, NULL) != 0)
		s->stats.n_refused++;
}

static void retry(struct timer *t)
{
	struct rpc_server *s = container_of(t, struct rpc_server, retry);

	watch_modify(s->reactor, &s->watch, EPOLLIN);
}

/* A socket nobody answers on is what a dead process left. */
static int clear_stale(const struct sockaddr_un *address, struct err *e)
{
	const char *path = address->sun_path;
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT
		               ? 0
		               : err_set(e, -errno, "cannot look at %s: %s",
		                         path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, -ENOTSOCK,
		               "%s is there and is not a socket; remove it or "
		               "choose another state folder",
		               path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "cannot make a socket: %s",
		               strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
	            0 ||
	    errno != ECONNREFUSED)
		return err_set(e, -EADDRINUSE,
		               "another process serves %s; stop it first "
		               "(causeway --socket %s status)",
		               path, path);
	if (unlink(path) != 0 && errno != ENOENT)
		return err_set(e, -errno,
		               "cannot remove the stale socket %s: "
		               "%s",
		               path, strerror(errno));
	return 0;
}

static int bind_path(int fd, const struct sockaddr_un *address, struct err *e)
{
	const char *path = address->sun_path;

	/* The file gets this mode less the umask; never more, even for an
	 * instant. */
	fchmod(fd, 0660);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		return err_set(e, -errno, "cannot make the socket %s: %s", path,
		               strerror(errno));
	if (chmod(path, 0660) != 0 || listen(fd, BACKLOG) != 0)
		return err_set(e, -errno, "cannot listen on %s: %s", path,
		               strerror(errno));
	return 0;
}

int rpc_server_listen(struct rpc_server *s, const char *path, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(e, -ENAMETOOLONG,
		               "the socket's path has %zu bytes and a Unix "
		               "socket takes %zu: %s",
		               strlen(path), sizeof(address.sun_path) - 1,
		               path);
	memcpy(address.sun_path, path, strlen(path));
	err = clear_stale(&address, e);
	if (err)
		return err;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "cannot make a socket: %s",
		               strerror(errno));
	err = bind_path(fd, &address, e);
	if (err)
		goto close_socket;
	s->watch = (struct watch){
		.fd = fd,
		.events = EPOLLIN,
		.ready = incoming,
	};
	s->retry = (struct timer){ .fire = retry };
	err = watch_start(s->reactor, &s->watch);
	if (err) {
		err_set(e, err, "cannot watch %s: %s", path, strerror(-err));
		goto unlink_socket;
	}
	s->address = address;
	return 0;

unlink_socket:
	unlink(path);
	s->watch.fd = -1;
close_socket:
	close(fd);
	return err;
}

void rpc_server_unlisten(struct rpc_server *s)
{
	if (s->watch.fd < 0)
		return;
	timer_stop(s->reactor, &s->retry);
	watch_stop(s->reactor, &s->watch);
	close(s->watch.fd);
	s->watch.fd = -1;
	unlink(s->address.sun_path);
}

int rpc_server_serve(struct rpc_server *s, int fd, void (*closed)(void *ctx),
                     void *ctx, struct err *e)
{
	return rpc_server_accept(s, fd, closed, ctx, e);
}
