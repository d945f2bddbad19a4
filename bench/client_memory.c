/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a bridge can put bytes from a socket into another process's memory:
 * mapped (a memfd of that process, recv() straight into it) or by
 * process_vm_writev() (recv() into a buffer, then across); and the other way.
 * docs/decisions/memory-by-memfd.md has the result.
 *
 *     client_memory [SECONDS per figure]
 */
#include "base/base.h"
#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define MEMORY (8u << 20)
#define BUFFER (1u << 20)

static pid_t owner;     /* of the memory */
static uint8_t *mapped; /* the same pages here, and at the same address */
static uint8_t *buffer; /* ours */
static int feed[2];     /* a socket pair: bytes come from [1] */

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

/* Send and receive one message of `n` bytes, from and to. */
static void through_socket(const void *from, void *to, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t part = n - done < 65536 ? n - done : 65536;

		must(send(feed[1], (const char *)from + done, part, 0) ==
		             (ssize_t)part,
		     "send");
		must(recv(feed[0], (char *)to + done, part, MSG_WAITALL) ==
		             (ssize_t)part,
		     "recv");
		done += part;
	}
}

static void in_mapped(size_t n)
{
	through_socket(buffer, mapped, n);
}

static void out_mapped(size_t n)
{
	through_socket(mapped, buffer, n);
}

static void in_vm(size_t n)
{
	struct iovec here = { buffer, n }, there = { mapped, n };

	through_socket(buffer, buffer, n);
	must(process_vm_writev(owner, &here, 1, &there, 1, 0) == (ssize_t)n,
	     "process_vm_writev");
}

static void out_vm(size_t n)
{
	struct iovec here = { buffer, n }, there = { mapped, n };

	must(process_vm_readv(owner, &here, 1, &there, 1, 0) == (ssize_t)n,
	     "process_vm_readv");
	through_socket(buffer, buffer, n);
}

static double measure(void (*way)(size_t n), size_t n, double seconds)
{
	uint64_t began = clock_now_ns(), now;
	unsigned count = 0;

	do {
		for (unsigned i = 0; i < 16; i++, count++)
			way(n);
		now = clock_now_ns();
	} while ((double)(now - began) < seconds * (double)NS_PER_S);
	return (double)(now - began) / count / 1000;
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 64, 4096, 65536, 1 << 20 };
	double seconds = argc > 1 ? atof(argv[1]) : 0.5;
	int room = 4 << 20;
	int fd = memfd_create("bench", MFD_CLOEXEC);

	must(fd >= 0 && ftruncate(fd, MEMORY) == 0, "memfd");
	mapped = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	buffer = malloc(BUFFER);
	must(mapped != MAP_FAILED && buffer, "memory");
	memset(mapped, 1, MEMORY);
	memset(buffer, 2, BUFFER);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, feed) == 0, "socketpair");
	setsockopt(feed[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	owner = fork();
	if (owner == 0)
		for (;;)
			pause();
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i];
		double a = measure(in_mapped, n, seconds);
		double b = measure(in_vm, n, seconds);
		double c = measure(out_mapped, n, seconds);
		double d = measure(out_vm, n, seconds);

		printf("%7zu B: in mapped %8.2f us, process_vm %8.2f us "
		       "(%.2f); "
		       "out mapped %8.2f us, process_vm %8.2f us (%.2f)\n",
		       n, a, b, b / a, c, d, d / c);
	}
	kill(owner, SIGKILL);
	waitpid(owner, NULL, 0);
	return 0;
}
