/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/launch.h"

#include "base/base.h"
#include "far/channel_format.h"
#include "far/pager.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENT "libcauseway-far.so"

/* -- the program ----------------------------------------------------------- */

/* @return whether argv[0] was found; its path is in `out`. */
static bool find_program(const char *name, char out[PATH_MAX])
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX &&
		       access(out, X_OK) == 0;
	for (const char *p = path; p && *p;) {
		size_t n = strcspn(p, ":");

		if (snprintf(out, PATH_MAX, "%.*s/%s", (int)n, p, name) <
		            PATH_MAX &&
		    access(out, X_OK) == 0)
			return true;
		p += n + (p[n] == ':');
	}
	return false;
}

/* Whether an ELF file names a dynamic linker, which loads the agent. */
static bool is_static(int fd)
{
	Elf64_Ehdr h;
	Elf64_Phdr ph;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phentsize != sizeof(ph))
		return false; /* a script: its interpreter is looked at */
	for (unsigned i = 0; i < h.e_phnum; i++) {
		if (pread(fd, &ph, sizeof(ph),
		          (off_t)(h.e_phoff + i * sizeof(ph))) != sizeof(ph))
			return false;
		if (ph.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static int check_program(const char *path, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_set(e, -EACCES,
		               "cannot look at %s (%s), and so not tell "
		               "whether it can run with far memory",
		               path, strerror(errno));
	if (st.st_mode & (S_ISUID | S_ISGID))
		return err_set(e, -ENOEXEC,
		               "%s is setuid: such a program loads no agent, "
		               "so its memory must stay here; run it directly",
		               path);
	if (is_static(fd))
		return err_set(e, -ENOEXEC,
		               "%s is static: it loads no agent, so its memory "
		               "must stay here; run it directly",
		               path);
	return 0;
}

/* -- the agent ------------------------------------------------------------- */

/* Beside this program or above it (a build), or where it was installed. */
static int find_agent(char out[PATH_MAX], struct err *e)
{
	static const char *const places[] = {
		"%.*s/" AGENT,
		"%.*s/../" AGENT,
		"%.*s/../lib/causeway/" AGENT,
		"%.*s/../lib/x86_64-linux-gnu/causeway/" AGENT,
		"%.*s/../lib/aarch64-linux-gnu/causeway/" AGENT,
	};
	char self[PATH_MAX / 2];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	const char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;

	for (size_t i = 0; slash && i < ARRAY_LEN(places); i++) {
		snprintf(out, PATH_MAX, places[i], (int)(slash - self), self);
		if (access(out, R_OK) == 0)
			return 0;
	}
	return err_set(e, -ENOENT,
	               "%s is missing beside this program and in its lib "
	               "folder: install it again",
	               AGENT);
}

/* `NAME=first:rest`, or without rest. */
static int prepend(const char *name, const char *first)
{
	const char *rest = getenv(name);
	char value[2 * PATH_MAX];

	if (!rest || !*rest)
		return setenv(name, first, 1);
	if (snprintf(value, sizeof(value), "%s:%s", first, rest) >=
	    (int)sizeof(value))
		return -1;
	return setenv(name, value, 1);
}

/* -- start ----------------------------------------------------------------- */

/* What a program starts with, whoever keeps its memory. */
static void prepare(pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
}

static _Noreturn void become(const char *program, char *const argv[])
{
	execv(program, argv);
	fprintf(stderr, "causeway: cannot run %s: %s\n", program,
	        strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static _Noreturn void run(const struct pager *p, const char *program,
                          const char *agent, char *const argv[])
{
	if (setenv(FAR_SOCKET_ENV, pager_socket(p), 1) ||
	    prepend("LD_PRELOAD", agent))
		_exit(127);
	become(program, argv);
}

static _Noreturn void run_limited(const char *procs, const char *program,
                                  char *const argv[])
{
	int fd = open(procs, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1) {
		fprintf(stderr, "causeway: cannot join %s: %s\n", procs,
		        strerror(errno));
		_exit(126);
	}
	become(program, argv);
}

/* @return as fork(); -1 with words. */
static pid_t fork_child(struct err *e)
{
	pid_t parent = getpid(), child = fork();

	if (child < 0)
		err_set(e, -errno, "cannot start a process: %s",
		        strerror(errno));
	if (child == 0)
		prepare(parent);
	return child;
}

int launch_check(const char *name, struct err *e)
{
	char program[PATH_MAX];

	if (!find_program(name, program))
		return err_set(e, -ENOENT, "there is no program %s", name);
	return check_program(program, e);
}

int launch_start(const struct pager *p, char *const argv[], pid_t *pid,
                 struct err *e)
{
	char program[PATH_MAX], agent[PATH_MAX];
	pid_t child;
	int err;

	if (!find_program(argv[0], program))
		return err_set(e, -ENOENT, "there is no program %s", argv[0]);
	err = check_program(program, e);
	if (!err)
		err = find_agent(agent, e);
	if (err)
		return err;
	child = fork_child(e);
	if (child < 0)
		return -EAGAIN;
	if (child == 0)
		run(p, program, agent, argv);
	*pid = child;
	return 0;
}

int launch_limited(const char *procs, char *const argv[], pid_t *pid,
                   struct err *e)
{
	char program[PATH_MAX];
	pid_t child;

	if (!find_program(argv[0], program))
		return err_set(e, -ENOENT, "there is no program %s", argv[0]);
	child = fork_child(e);
	if (child < 0)
		return -EAGAIN;
	if (child == 0)
		run_limited(procs, program, argv);
	*pid = child;
	return 0;
}
