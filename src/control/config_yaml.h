/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/config_yaml - YAML into JSON values that know their lines.
 *
 * The part of YAML 1.1 that people write by hand: one document of mappings,
 * sequences and scalars.  Anchors, aliases, tags and repeated keys are
 * refused.  A plain `true` or `false` is a boolean, a plain decimal integer
 * that fits is an integer, every other scalar is a string.
 */
#ifndef CONTROL_CONFIG_YAML_H
#define CONTROL_CONFIG_YAML_H

#include "base/err.h"

#include <stddef.h>

struct json_object;

#define CONFIG_YAML_SIZE_MAX (1u << 20) /* bytes */
#define CONFIG_YAML_DEPTH_MAX 8u
#define CONFIG_YAML_VALUES_MAX 16384u

/*
 * An empty document is {}.
 *
 * @return 0 and *out, the caller's to put; -EBADMSG with words that begin
 *         with the line; -ENOMEM.
 */
int config_yaml_load(const char *text, size_t n, struct json_object **out,
                     struct err *e);

/* The line, from 1, of a value that config_yaml_load() made: where its key
 * or list item stands. */
unsigned config_yaml_line(struct json_object *value);

#endif /* CONTROL_CONFIG_YAML_H */
