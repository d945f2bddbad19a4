/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/sync - make the files behind a key durable.
 *
 * done() runs once, never inside sync_start(): 0, -EIO or what the kernel
 * said.  Keys over memory are done at once.  The regions stay mapped.
 */
#ifndef WINDOW_SYNC_H
#define WINDOW_SYNC_H

struct grant;
struct reactor;

typedef void (*sync_done_fn)(void *ctx, int err);

/* @return 0; -ENOMEM: done() will not run. */
int sync_start(struct reactor *r, struct grant *g, sync_done_fn done,
               void *ctx);

#endif /* WINDOW_SYNC_H */
