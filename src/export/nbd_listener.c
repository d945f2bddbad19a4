/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"
#include "export/nbd_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024
#define ACCEPTS 64 /* in a row */

/* -- accepting ------------------------------------------------------------ */

static void pause_accepting(struct nbd_listener *l)
{
	struct reactor *home = l->server->home;

	l->server->stats.exhausted++;
	if (timer_start(home, &l->pause, NBD_ACCEPT_PAUSE_MS * NS_PER_MS))
		return; /* better busy than deaf */
	watch_stop(home, &l->watch);
	l->watched = false;
}

static void resume_accepting(struct timer *t)
{
	struct nbd_listener *l = container_of(t, struct nbd_listener, pause);

	if (watch_start(l->server->home, &l->watch) == 0)
		l->watched = true;
	else
		timer_start(l->server->home, t,
		            NBD_ACCEPT_PAUSE_MS * NS_PER_MS);
}

static void tune(const struct nbd_listener *l, int fd)
{
	int on = 1;

	if (l->kind != NBD_TCP)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void accept_some(struct watch *w, uint32_t events)
{
	struct nbd_listener *l = container_of(w, struct nbd_listener, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(w->fd, NULL, NULL,
		                 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			tune(l, fd);
			nbd_handshake_start(l, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		pause_accepting(l); /* EMFILE, ENFILE, ENOBUFS, ENOMEM */
		return;
	}
}

/* -- Unix sockets --------------------------------------------------------- */

/* Whether a socket lies at `path` that nobody listens to any more. */
static bool is_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && lstat(sa->sun_path, &st) == 0 &&
	       S_ISSOCK(st.st_mode) &&
	       connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 &&
	       errno == ECONNREFUSED;
}

static int bind_unix(int fd, const struct sockaddr_un *sa)
{
	const struct sockaddr *any = (const struct sockaddr *)sa;

	/* The mode of a socket is that of its file to be: never wider. */
	if (fchmod(fd, 0660) < 0)
		return -errno;
	if (bind(fd, any, sizeof(*sa)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (!is_stale(sa))
		return -EADDRINUSE;
	if (unlink(sa->sun_path) < 0 && errno != ENOENT)
		return -errno;
	return bind(fd, any, sizeof(*sa)) < 0 ? -errno : 0;
}

static int open_unix(struct nbd_listener *l, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t length = strlen(l->text);
	struct stat st;
	int err;

	if (length == 0 || length >= sizeof(sa.sun_path))
		return err_set(e, -EINVAL,
		               "a socket's path has 1 to %zu bytes: %s",
		               sizeof(sa.sun_path) - 1, l->text);
	memcpy(sa.sun_path, l->text, length);
	l->watch.fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->watch.fd < 0)
		return err_set(e, -errno, "no socket for %s: %s", l->text,
		               strerror(errno));
	err = bind_unix(l->watch.fd, &sa);
	if (err == -EADDRINUSE)
		return err_set(e, err,
		               "%s is in use: another program listens there, "
		               "or it is not a socket; choose another path",
		               l->text);
	if (err)
		return err_set(e, err, "cannot make the socket %s: %s", l->text,
		               strerror(-err));
	if (stat(l->text, &st) == 0) {
		l->socket_dev = st.st_dev;
		l->socket_ino = st.st_ino;
	}
	chmod(l->text, 0660); /* whatever the umask took away */
	return 0;
}

/* Only if it is still ours: somebody may have replaced it. */
static void unlink_unix(const struct nbd_listener *l)
{
	struct stat st;

	if (l->kind == NBD_UNIX && l->socket_ino && lstat(l->text, &st) == 0 &&
	    st.st_dev == l->socket_dev && st.st_ino == l->socket_ino)
		unlink(l->text);
}

/* -- TCP ------------------------------------------------------------------ */

/* getaddrinfo() would take 65536 for 0. */
static bool is_port(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == '\0' &&
	       port <= UINT16_MAX;
}

/* Cut "ADDR:PORT" in two; a v6 address is in brackets. */
static bool split(char *text, const char **host, const char **port)
{
	char *colon = strrchr(text, ':');

	if (!colon || !is_port(colon + 1))
		return false;
	*colon = '\0';
	*port = colon + 1;
	*host = text;
	if (text[0] == '[') {
		if (colon == text + 1 || colon[-1] != ']')
			return false;
		colon[-1] = '\0';
		*host = text + 1;
	} else if (strchr(text, ':')) {
		return false;
	}
	if (strcmp(*host, "localhost") == 0)
		*host = "127.0.0.1";
	else if (strcmp(*host, "*") == 0 || **host == '\0')
		*host = NULL;
	return true;
}

/* NULL: not an address.  To be freed by freeaddrinfo(). */
static struct addrinfo *parse_tcp(const char *text)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;
	const char *host, *port;
	AUTO_FREE char *copy = strdup(text);

	if (!copy || !split(copy, &host, &port))
		return NULL;
	if (getaddrinfo(host, port, &hints, &found))
		return NULL;
	return found;
}

static int bind_tcp(struct nbd_listener *l, const struct addrinfo *ai)
{
	int on = 1;

	l->watch.fd = socket(ai->ai_family,
	                     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->watch.fd < 0)
		return -errno;
	setsockopt(l->watch.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		setsockopt(l->watch.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		           sizeof(on));
	return bind(l->watch.fd, ai->ai_addr, ai->ai_addrlen) < 0 ? -errno : 0;
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t length = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &length) < 0)
		return 0;
	if (ss.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
	return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

static int open_tcp(struct nbd_listener *l, struct err *e)
{
	struct addrinfo *ai = parse_tcp(l->text);
	int err;

	if (!ai)
		return err_set(e, -EINVAL,
		               "%s is not ADDR:PORT with a numeric address, "
		               "such as 127.0.0.1:10809 or [::1]:10809",
		               l->text);
	err = bind_tcp(l, ai);
	freeaddrinfo(ai);
	if (err == -EADDRINUSE)
		return err_set(e, err,
		               "another program listens at %s; choose another "
		               "port",
		               l->text);
	if (err)
		return err_set(e, err, "cannot listen at %s: %s", l->text,
		               strerror(-err));
	l->port = port_of(l->watch.fd);
	return 0;
}

/* -- for the server ------------------------------------------------------- */

static int start_listening(struct nbd_listener *l, struct err *e)
{
	int err;

	if (listen(l->watch.fd, BACKLOG) < 0)
		return err_set(e, -errno, "cannot listen at %s: %s", l->text,
		               strerror(errno));
	l->watch.events = EPOLLIN;
	l->watch.ready = accept_some;
	err = watch_start(l->server->home, &l->watch);
	if (err)
		return err_set(e, err, "cannot watch %s: %s", l->text,
		               strerror(-err));
	l->watched = true;
	return 0;
}

int nbd_listener_open(struct nbd_server *s, const struct nbd_address *at,
                      struct nbd_listener **out, struct err *e)
{
	struct nbd_listener *l = calloc(1, sizeof(*l));
	int err = 0;

	if (!l)
		return err_set(e, -ENOMEM, "no memory for a listener");
	l->server = s;
	l->kind = at->kind;
	l->text = strdup(at->text);
	l->watch.fd = -1;
	l->pause.fire = resume_accepting;
	list_init(&l->link);
	list_init(&l->exports);
	if (!l->text)
		err = err_set(e, -ENOMEM, "no memory for a listener");
	else if (l->kind == NBD_UNIX)
		err = open_unix(l, e);
	else if (l->kind == NBD_TCP)
		err = open_tcp(l, e);
	if (err == 0 && l->kind != NBD_ADOPT)
		err = start_listening(l, e);
	if (err) {
		nbd_listener_close(l);
		return err;
	}
	list_append(&s->listeners, &l->link);
	*out = l;
	return 0;
}

void nbd_listener_close(struct nbd_listener *l)
{
	nbd_handshake_cut(l->server, l, NULL);
	timer_stop(l->server->home, &l->pause);
	if (l->watched)
		watch_stop(l->server->home, &l->watch);
	unlink_unix(l);
	if (l->watch.fd >= 0)
		close(l->watch.fd);
	list_remove(&l->link);
	free(l->text);
	free(l);
}

struct nbd_listener *nbd_listener_find(struct nbd_server *s,
                                       const struct nbd_address *at)
{
	LIST_FOREACH (node, &s->listeners) {
		struct nbd_listener *l =
			list_entry(node, struct nbd_listener, link);

		if (l->kind == at->kind && strcmp(l->text, at->text) == 0)
			return l;
	}
	return NULL;
}

struct nbd_export *nbd_listener_lookup(struct nbd_listener *l,
                                       struct nbd_view name)
{
	struct list *first = l->exports.next;

	if (name.length == 0)
		return !list_empty(&l->exports) && first->next == &l->exports
		               ? list_entry(first, struct nbd_export, link)
		               : NULL;
	LIST_FOREACH (node, &l->exports) {
		struct nbd_export *x =
			list_entry(node, struct nbd_export, link);

		if (nbd_view_equals(name, x->info.name))
			return x;
	}
	return NULL;
}
