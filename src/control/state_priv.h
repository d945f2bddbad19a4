/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of control/state share. */
#ifndef CONTROL_STATE_PRIV_H
#define CONTROL_STATE_PRIV_H

#include "control/state.h"

struct json_object;

void state_put_text(struct json_object *o, const char *key, const char *text);
/* @return -EBADMSG with words. */
int state_damaged(struct err *e, const char *why);

/* -- state_peers.c -------------------------------------------------------- */

void state_put_id(struct json_object *body, const uint8_t id[STATE_ID]);
/* Id and boot. */
int state_parse_id(struct json_object *body, struct state *s, struct err *e);
struct json_object *state_peers_json(const struct list *peers);
struct json_object *state_windows_json(const struct list *windows);
int state_parse_peers(struct json_object *array, struct list *peers,
                      struct err *e);
int state_parse_windows(struct json_object *array, struct list *windows,
                        struct err *e);

#endif /* CONTROL_STATE_PRIV_H */
