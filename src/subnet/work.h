/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/work - what a subnet manager has to do, and when it may begin.
 *
 * An item is {what, scope, not before}; adding one that is there already keeps
 * the earlier time.  A list that is full turns into "look at everything".
 */
#ifndef SUBNET_WORK_H
#define SUBNET_WORK_H

#include <stdbool.h>
#include <stdint.h>

#define WORK_MAX 1024u

enum work_what {
	WORK_ALL,    /* discover everything */
	WORK_SWITCH, /* read one switch's ports; scope: node */
	WORK_PORT,   /* read one port; scope: port */
	WORK_LIGHT,  /* ask every switch whether anything changed */
	WORK_CALM,   /* a flapping link may be used again; scope: port */
	WORK_POLICY, /* the plan's inputs changed: plan and send */
	WORK_KINDS
};

struct work {
	enum work_what what;
	uint32_t scope;
	uint64_t not_before_ns;
};

struct work_list {
	struct work item[WORK_MAX];
	unsigned n;
};

void work_add(struct work_list *w, enum work_what what, uint32_t scope,
              uint64_t not_before_ns);

/* Take one that is due.  @return false: none is. */
bool work_take(struct work_list *w, uint64_t now_ns, struct work *out);

/* When the next one is due; UINT64_MAX: there is none. */
uint64_t work_next_ns(const struct work_list *w);

#endif /* SUBNET_WORK_H */
