/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One load for every way of reading another process's memory: two processes,
 * the server with LOAD_REGION bytes that never touches what it is asked for,
 * the client with a number of reads under way.
 *
 *     PROGRAM serve HOST[,HOST]... spin|block
 *         prints "port N" and serves until it is killed
 *     PROGRAM read HOST[,HOST]... PORT spin|block DEPTH SIZE SECONDS [hol]
 *         reads SIZE bytes, DEPTH at a time; with `hol` one read of
 *         LOAD_BULK bytes is under way all the time and is not counted.
 *         Prints one line of JSON.
 *
 * A way is five functions.  load_done() may call post().
 */
#ifndef BENCH_WINDOW_LOAD_H
#define BENCH_WINDOW_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_REGION (UINT64_C(64) << 20)
#define LOAD_BULK (UINT32_C(48) << 20)
#define LOAD_DEPTH_MAX 64u
#define LOAD_SLOTS (LOAD_DEPTH_MAX + 1) /* the last one is the bulk read's */
#define LOAD_HOSTS_MAX 4u

struct load_opts {
	const char *host[LOAD_HOSTS_MAX];
	unsigned n_hosts;
	const char *port;
	bool block; /* sleep while there is nothing to do, else spin */
};

struct load_way {
	/* Listen, call load_serving(), serve LOAD_REGION bytes for ever. */
	void (*serve)(const struct load_opts *o);
	/* The slots' buffers are buffer[slot], `length` bytes of them. */
	void (*connect)(const struct load_opts *o, void *const buffer[],
	                const uint32_t length[]);
	void (*post)(unsigned slot, uint64_t offset, uint32_t length);
	/* Call load_done() for each read that has ended, until load_over(). */
	void (*run)(void);
};

int load_main(int argc, char **argv, const struct load_way *way);

void load_serving(unsigned port);
void *load_memory(size_t length);
void load_done(unsigned slot);
bool load_over(void);
void load_die(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

#endif /* BENCH_WINDOW_LOAD_H */
