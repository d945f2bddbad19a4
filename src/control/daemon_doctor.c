/* SPDX-License-Identifier: BSD-2-Clause */
/* What of this machine's set-up will get in the way: a table of looks. */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/describe.h"
#include "kswap/area.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FILES_MIN 4096u /* a connection takes one, an export a few */

/* `level` is "error" or "warning". */
static void find(struct json_object *findings, const char *level,
                 const char *next, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void find(struct json_object *findings, const char *level,
                 const char *next, const char *fmt, ...)
{
	struct json_object *o = json_object_new_object();
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	describe_string(o, "level", level);
	describe_string(o, "text", text);
	describe_string(o, "next", next);
	json_object_array_add(findings, o);
}

/* The number that a file of /proc/sys holds; -1: there is none. */
static int read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	int value = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

/* The file may have changed since it was read. */
static void look_at_key(struct daemon *n, struct json_object *out)
{
	const char *path = n->opts->cluster_key ? n->opts->cluster_key
	                                        : n->config.cluster_key;
	struct auth_key key;
	struct err e = { 0 };

	if (n->opts->insecure)
		find(out, "error",
		     "start causewayd without --insecure and with "
		     "--cluster-key",
		     "whoever reaches this node's addresses is let in: it was "
		     "started with --insecure");
	if (!*path) {
		if (!n->opts->insecure && !list_empty(&n->fabric.peers))
			find(out, "error",
			     "name the key with --cluster-key or "
			     "'cluster_key:' and start causewayd again",
			     "there are peers, but no cluster key: this node "
			     "talks to none of them");
		return;
	}
	if (auth_key_load(path, &key, &e))
		find(out, "error",
		     "the next start would fail: give the file its mode and "
		     "owner back, as in chmod 0600",
		     "%s", e.text);
	else
		auth_key_wipe(&key);
}

static void look_at_listeners(struct daemon *n, struct json_object *out)
{
	if (list_empty(&n->fabric.peers) || n->opts->n_listen ||
	    n->config.n_listen)
		return;
	find(out, "error",
	     "give it addresses with 'listen:' and start causewayd again",
	     "there are peers, but this node listens nowhere: they cannot "
	     "answer when it asks for a window");
}

static void look_at_folder(struct daemon *n, struct json_object *out)
{
	struct stat st;

	if (stat(n->opts->state_dir, &st) == 0 && (st.st_mode & S_IWOTH))
		find(out, "error", "chmod o-w the folder",
		     "anybody may write to the state folder %s",
		     n->opts->state_dir);
}

static void look_at_limits(struct daemon *n, struct json_object *out)
{
	struct rlimit r;

	(void)n;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < FILES_MIN)
		find(out, "warning",
		     "raise it, as with LimitNOFILE= of the service or "
		     "'ulimit -n'",
		     "the daemon may have %ju files open, and each link and "
		     "each client takes some: %u is a good limit",
		     (uintmax_t)r.rlim_cur, FILES_MIN);
	if (access("/dev/infiniband", F_OK) == 0 &&
	    getrlimit(RLIMIT_MEMLOCK, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
		find(out, "warning",
		     "set LimitMEMLOCK=infinity of the service, or 'ulimit -l "
		     "unlimited'",
		     "the daemon may lock %ju bytes, and RDMA locks all that "
		     "it moves",
		     (uintmax_t)r.rlim_cur);
}

static void look_at_windows(struct daemon *n, struct json_object *out)
{
	LIST_FOREACH (link, &n->fabric.windows) {
		const struct state_window *w =
			list_entry(link, struct state_window, link);

		if (!w->live)
			find(out, "error",
			     "make its file available and start causewayd "
			     "again; its messages say what is wrong",
			     "window %s (%s) is not served", w->name, w->file);
	}
}

/* What `causeway run` needs: docs/far.md. */
static void look_at_far(struct daemon *n, struct json_object *out)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	(void)n;
	if (uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	    (major < 6 || (major == 6 && minor < 8)))
		find(out, "warning",
		     "run Linux 6.8 or newer, or use 'causeway swap'",
		     "'causeway run' cannot work here: Linux %s cannot move "
		     "pages by userfaultfd",
		     u.release);
	else if (access("/dev/userfaultfd", F_OK) != 0 &&
	         read_number("/proc/sys/vm/unprivileged_userfaultfd") < 0)
		find(out, "warning",
		     "use a kernel with CONFIG_USERFAULTFD, or 'causeway swap'",
		     "'causeway run' cannot work here: this kernel has no "
		     "userfaultfd");
	if (read_number("/proc/sys/vm/overcommit_memory") == 2)
		find(out, "warning", "sysctl vm.overcommit_memory=0",
		     "vm.overcommit_memory is 2: a program that 'causeway run' "
		     "gives more memory than this machine has gets none");
}

/* What `causeway swap` needs, once it is on: docs/far.md. */
static void look_at_swap(struct daemon *n, struct json_object *out)
{
	struct area all[AREAS_MAX];
	unsigned n_areas = area_list(all, AREAS_MAX), n_served = 0, kib;

	for (unsigned i = 0; i < n_areas; i++) {
		if (area_is_served(&all[i]))
			n_served++;
		else
			find(out, "error", "causeway swap off",
			     "nobody serves the swap device %s any more: what "
			     "was in it is lost",
			     all[i].path);
	}
	if (!n_served)
		return;
	if (area_reserve_is_small(&kib))
		find(out, "warning", "sysctl vm.min_free_kbytes=32768",
		     "vm.min_free_kbytes is %u: without free memory the kernel "
		     "may not have enough for the packets that bring swapped "
		     "pages back",
		     kib);
	if (!n->opts->realtime)
		find(out, "warning", "start causewayd with --realtime",
		     "the kernel swaps by way of this daemon, which is neither "
		     "locked in memory nor real-time: when no page is free it "
		     "may have to wait for the memory that it should free");
}

/* Who starts the program is not known here; the user of the daemon is. */
static void look_at_rights(struct daemon *n, struct json_object *out)
{
	(void)n;
	if (geteuid() != 0 && access("/dev/userfaultfd", R_OK | W_OK) != 0)
		find(out, "warning",
		     "setfacl -m u:USER:rw /dev/userfaultfd, and "
		     "CAP_SYS_PTRACE "
		     "for causeway, or run it as root",
		     "'causeway run' is not allowed to this user: it may not "
		     "open /dev/userfaultfd");
}

void daemon_doctor(struct rpc_call *call, struct json_object *params)
{
	static void (*const looks[])(struct daemon * n,
	                             struct json_object * out) = {
		look_at_key,    look_at_listeners, look_at_folder,
		look_at_limits, look_at_windows,   look_at_far,
		look_at_swap,   look_at_rights,
	};
	struct json_object *o = json_object_new_object();
	struct json_object *findings = json_object_new_array();

	(void)params;
	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		looks[i](rpc_call_ctx(call), findings);
	json_object_object_add(o, "findings", findings);
	rpc_reply(call, o);
}
