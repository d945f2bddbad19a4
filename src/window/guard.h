/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/guard - one asker in front of the table of keys.
 *
 * Concept.  Each peer and each process of this node has a guard: it knows who
 * is asking and how often it was wrong.  A key that nobody has and a key that
 * is somebody else's are the same to the asker, FABRIC_BAD_KEY, and both are
 * guesses.  After some of these everything is refused with FABRIC_BUSY before
 * the key is looked at, but for some tries a second: guessing 128 bits is
 * hopeless anyway, and so it is cheap for us too and shows in a counter.  An
 * honest asker never comes here: keys that died are remembered
 * (window/grant.h) and are no guesses.
 *
 *                      at once   a second
 *      a process           256          2
 *      a node              256         16   its operations
 *      its questions      1024         64   for windows, which its processes
 *                                           can make it ask
 */
#ifndef WINDOW_GUARD_H
#define WINDOW_GUARD_H

#include "window/grant.h"

enum guard_kind { GUARD_PROCESS, GUARD_NODE, GUARD_QUESTIONS };

struct guard {
	struct grant_holder who;
	bool is_node; /* it tells its processes apart by itself */
	struct bucket guesses;
	uint64_t n_refused; /* requests, whatever for */
	uint64_t n_guesses; /* of these, for a key that is not the asker's */
	uint64_t n_unheard; /* of these, without a look at the key */
};

/* `process` NULL: a node.  That it is the right process of the node was found
 * out when it asked for the window (window/lookup.h). */
void guard_init(struct guard *g, enum guard_kind kind, const char *node,
                const struct fabric_key *process, uint64_t now_ns);

/* The asker's grant, dead or alive.  @return FABRIC_OK, _BAD_KEY, _BUSY. */
enum fabric_status guard_find(struct guard *g, struct grant_table *t,
                              const struct fabric_key *key, uint64_t now_ns,
                              struct grant **out);

/* May it guess, of anything that is not to be guessed? */
bool guard_may_try(struct guard *g, uint64_t now_ns);
void guard_was_wrong(struct guard *g);

/* guard_find(), grant_check(), grant_resolve(); `n` as there.  out NULL: no
 * addresses are wanted. */
enum fabric_status guard_access(struct guard *g, struct grant_table *t,
                                const struct fabric_key *key, unsigned rights,
                                uint64_t offset, uint64_t length,
                                uint64_t now_ns, struct iovec *out,
                                unsigned *n);

#endif /* WINDOW_GUARD_H */
