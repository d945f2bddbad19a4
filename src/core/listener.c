/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/listener.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/log.h"
#include "core/reactor.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define MODE 0660

static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) ==
                      LISTENER_PATH_MAX + 1,
              "a path fits with its NUL");

static int open_socket(int family, int type, struct err *e)
{
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 ? fd
	               : err_set(e, -errno, "cannot make a socket: %s",
	                         strerror(errno));
}

/* -- accepting ------------------------------------------------------------ */

static void log_want(struct listener *l, int error)
{
	char why[128];

	if (!l->wanting)
		log_event(LOG_LEVEL_WARN, "clients have to wait",
		          "why=%s hint=\"%s\"",
		          log_quote(why, sizeof(why), strerror(error)),
		          error == EMFILE ? "raise 'ulimit -n'" : "free some");
	l->wanting = true;
}

static void pause_accepting(struct listener *l, int error)
{
	if (l->n_exhausted)
		++*l->n_exhausted;
	log_want(l, error);
	if (timer_start(l->reactor, &l->pause, LISTENER_PAUSE_MS * NS_PER_MS))
		return; /* better busy than deaf */
	watch_modify(l->reactor, &l->watch, 0);
}

static void resume_accepting(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, pause);

	watch_modify(l->reactor, &l->watch, EPOLLIN);
}

/* One at a time: epoll reports the next, and after accepted() the listener
 * may be gone (L2). */
static void accept_one(struct watch *w, uint32_t events)
{
	struct listener *l = container_of(w, struct listener, watch);
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0) {
		l->wanting = false;
		l->accepted(l, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		/* EMFILE, ENFILE, ENOBUFS, ENOMEM; and whatever else it is,
		 * the socket stays readable. */
		pause_accepting(l, errno);
	}
}

/* -- Unix sockets --------------------------------------------------------- */

/* Something lies at the path: make room if it is a socket of the dead. */
static int remove_stale(const struct sockaddr_un *sa, struct err *e)
{
	const char *path = sa->sun_path;
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
		               "choose another path",
		               path);
	/* Does not block: a living one whose backlog is full gives EAGAIN. */
	fd = open_socket(AF_UNIX, SOCK_STREAM, e);
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ||
	    errno == EAGAIN || errno == EPROTOTYPE)
		return err_set(e, -EADDRINUSE,
		               "another program listens at %s; stop it or "
		               "choose another path",
		               path);
	if (errno == ECONNREFUSED && unlink(path) != 0 && errno != ENOENT)
		return err_set(e, -errno,
		               "cannot remove the stale socket %s: %s", path,
		               strerror(errno));
	if (errno != ECONNREFUSED && errno != ENOENT)
		return err_set(e, -errno,
		               "cannot tell whether a program listens at %s: "
		               "%s; remove it if none does",
		               path, strerror(errno));
	return 0;
}

static int bind_unix(int fd, const struct sockaddr_un *sa, struct err *e)
{
	const struct sockaddr *any = (const struct sockaddr *)sa;
	int err;

	/* The mode of a socket, less the umask, is that of its file to be. */
	if (fchmod(fd, MODE) == 0 && bind(fd, any, sizeof(*sa)) == 0)
		return 0;
	if (errno == EADDRINUSE) {
		err = remove_stale(sa, e);
		if (err)
			return err;
		if (bind(fd, any, sizeof(*sa)) == 0)
			return 0;
	}
	if (errno == ENOENT || errno == ENOTDIR)
		return err_set(e, -errno,
		               "cannot make the socket %s: there is no such "
		               "folder; make it, or choose another path",
		               sa->sun_path);
	return err_set(e, -errno, "cannot make the socket %s: %s", sa->sun_path,
	               strerror(errno));
}

static int open_unix(struct listener *l, int type, const char *path,
                     struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	struct stat st;
	int err;

	if (length == 0)
		return err_set(e, -EINVAL, "the path of a socket is empty");
	if (length > LISTENER_PATH_MAX)
		return err_set(e, -ENAMETOOLONG,
		               "the socket's path has %zu bytes and a Unix "
		               "socket takes %u; choose a shorter one than %s",
		               length, LISTENER_PATH_MAX, path);
	memcpy(sa.sun_path, path, length);
	l->watch.fd = open_socket(AF_UNIX, type, e);
	if (l->watch.fd < 0)
		return l->watch.fd;
	err = bind_unix(l->watch.fd, &sa, e);
	if (err)
		return err;
	if (lstat(path, &st) == 0) {
		memcpy(l->path, path, length + 1);
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	if (chmod(path, MODE) != 0) /* what the umask took away */
		return err_set(e, -errno, "cannot set the mode of %s: %s", path,
		               strerror(errno));
	return 0;
}

/* While our socket is open its inode is not used again, so what has its
 * number is ours. */
static void unlink_unix(const struct listener *l)
{
	struct stat st;

	if (l->path[0] && lstat(l->path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		unlink(l->path);
}

/* -- TCP ------------------------------------------------------------------ */

static bool is_port(const char *text)
{
	unsigned n = 0;

	for (const char *c = text; *c; c++) {
		if (!isdigit((unsigned char)*c))
			return false;
		n = n * 10 + (unsigned)(*c - '0');
		if (n > UINT16_MAX)
			return false;
	}
	return *text != '\0';
}

/* Cut ADDR:PORT or [ADDR]:PORT in two. */
static bool split(char *text, const char **host, const char **port)
{
	char *colon = strrchr(text, ':');

	if (!colon || !is_port(colon + 1))
		return false;
	*colon = '\0';
	*port = colon + 1;
	*host = text;
	if (text[0] == '[') {
		if (colon[-1] != ']')
			return false;
		colon[-1] = '\0';
		*host = text + 1;
		return true;
	}
	if (strcmp(text, "localhost") == 0)
		*host = "127.0.0.1";
	else if (strcmp(text, "*") == 0 || text[0] == '\0')
		*host = "0.0.0.0";
	return !strchr(text, ':');
}

/* NULL: not an address.  To be freed by freeaddrinfo(). */
static struct addrinfo *parse_tcp(const char *text)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
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

static void set_option(int fd, int level, int option)
{
	int on = 1;

	setsockopt(fd, level, option, &on, sizeof(on));
}

static int refused_tcp(const char *text, int err, struct err *e)
{
	if (err == -EADDRINUSE)
		return err_set(e, err,
		               "another program listens at %s; choose another "
		               "port",
		               text);
	if (err == -EADDRNOTAVAIL)
		return err_set(e, err,
		               "cannot listen at %s: this machine has no such "
		               "address; choose one of its own",
		               text);
	if (err == -EACCES)
		return err_set(e, err,
		               "cannot listen at %s: this port needs "
		               "privileges; choose one from 1024 on",
		               text);
	return err_set(e, err, "cannot listen at %s: %s", text, strerror(-err));
}

static int open_tcp(struct listener *l, const char *text, struct err *e)
{
	struct addrinfo *ai = parse_tcp(text);
	int fd, err = 0;

	if (!ai)
		return err_set(e, -EINVAL,
		               "%s is not ADDR:PORT with a numeric address, "
		               "such as 127.0.0.1:10809 or [::1]:10809",
		               text);
	l->watch.fd = fd = open_socket(ai->ai_family, SOCK_STREAM, e);
	if (fd < 0) {
		err = fd;
		goto free_address;
	}
	set_option(fd, SOL_SOCKET, SO_REUSEADDR);
	if (ai->ai_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	/* What is accepted inherits these two. */
	set_option(fd, IPPROTO_TCP, TCP_NODELAY);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0)
		err = refused_tcp(text, -errno, e);

free_address:
	freeaddrinfo(ai);
	return err;
}

unsigned listener_port(const struct listener *l)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t length = sizeof(ss);

	if (!l->reactor ||
	    getsockname(l->watch.fd, (struct sockaddr *)&ss, &length) != 0)
		return 0;
	if (ss.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
	if (ss.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&ss)->sin_port);
	return 0;
}

/* -- opening and closing -------------------------------------------------- */

/* Before the descriptor is closed: see unlink_unix(). */
static void drop_socket(struct listener *l)
{
	unlink_unix(l);
	if (l->watch.fd >= 0)
		close(l->watch.fd);
	*l = (struct listener){ .accepted = l->accepted,
		                .n_exhausted = l->n_exhausted };
}

int listener_open(struct reactor *r, struct listener *l,
                  enum listener_kind kind, const char *address, struct err *e)
{
	int err = -EINVAL;

	assert(!l->reactor && l->accepted);
	*l = (struct listener){
		.accepted = l->accepted,
		.n_exhausted = l->n_exhausted,
		.watch = { .fd = -1, .events = EPOLLIN, .ready = accept_one },
		.pause = { .fire = resume_accepting },
	};
	switch (kind) {
	case LISTENER_UNIX:
		err = open_unix(l, SOCK_STREAM, address, e);
		break;
	case LISTENER_UNIX_PACKET:
		err = open_unix(l, SOCK_SEQPACKET, address, e);
		break;
	case LISTENER_TCP:
		err = open_tcp(l, address, e);
		break;
	}
	if (!err && listen(l->watch.fd, LISTENER_BACKLOG) != 0)
		err = kind == LISTENER_TCP
		              ? refused_tcp(address, -errno, e)
		              : err_set(e, -errno, "cannot listen on %s: %s",
		                        address, strerror(errno));
	if (!err) {
		err = watch_start(r, &l->watch);
		if (err)
			err_set(e, err, "cannot watch %s: %s", address,
			        strerror(-err));
	}
	if (err) {
		drop_socket(l);
		return err;
	}
	l->reactor = r;
	return 0;
}

void listener_close(struct listener *l)
{
	if (!l->reactor)
		return;
	timer_stop(l->reactor, &l->pause);
	watch_stop(l->reactor, &l->watch);
	drop_socket(l);
}
