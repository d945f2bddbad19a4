/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc/schema - methods and their parameters as tables.
 *
 * One table row describes a parameter; one checker refuses what does not fit
 * before a handler runs, so that a handler reads its parameters without a
 * further question.  The introspection method, the manual pages and the
 * configuration file use the same rows.
 *
 *   S1  after rpc_check() returned 0 every required parameter is there, no
 *       other than the listed ones is, and each has the JSON type, range and
 *       syntax that its row says; strings hold no NUL and are valid UTF-8
 *       if the parser saw to it (rpc_parse() does);
 *   S2  an optional parameter that is absent is absent: no default is put in;
 *   S3  JSON null is never a value;
 *   S4  INT64_MIN and UINT64_MAX are never values: json-c reads what does not
 *       fit as these.
 */
#ifndef RPC_SCHEMA_H
#define RPC_SCHEMA_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

enum rpc_type {
	RPC_BOOL,
	RPC_INT,     /* int64; range min..max */
	RPC_SIZE,    /* uint64, bytes; range min..max */
	RPC_STRING,  /* length min..max bytes */
	RPC_ENUM,    /* one of `values` */
	RPC_STRINGS, /* array of min..max strings, each as `syntax` says and at
	              * most RPC_ITEM_MAX bytes */
	RPC_OBJECTS, /* array of min..max objects, which the caller checks */
};
#define RPC_ITEM_MAX 255
#define RPC_STRING_MAX 4095 /* for a string with max 0 */

/* What a string may look like, beyond its length. */
struct rpc_syntax {
	const char *words; /* "letters, digits ..., as in tank": for refusals */
	bool (*valid)(const char *text);
};

struct rpc_param {
	const char *name;
	enum rpc_type type;
	bool required;
	/*
	 * Rows with the same non-zero number are alternatives: exactly one
	 * of them must be given.
	 */
	unsigned one_of;
	int64_t min;  /* see enum rpc_type */
	uint64_t max; /* 0: the type's own limit (RPC_INT: INT64_MAX) */
	const char *const *values;       /* RPC_ENUM; ends with NULL */
	const struct rpc_syntax *syntax; /* strings; NULL: any */
	const char *doc;                 /* one line, no full stop */
};

struct rpc_method {
	const char *name; /* "volume.create" */
	const char *doc;  /* one line, no full stop */
	const struct rpc_param *params;
	size_t n_params;
};

/*
 * Check `params` (NULL counts as {}) against rows.
 *
 * @param where  if not NULL: the value at fault, or the object that lacks
 *               something; borrowed from `params`, for a caller that knows
 *               where it came from.  Untouched on success.
 * @return 0; -EINVAL with words: what is wrong, what is allowed.
 */
int rpc_check(const struct rpc_param *rows, size_t n,
              struct json_object *params, struct json_object **where,
              struct err *e);

/* The table as {"name", "doc", "params": [...]}; NULL: out of memory. */
struct json_object *rpc_method_json(const struct rpc_method *m);

/*
 * The candidate closest to `text`, for "did you mean"; NULL if none is close
 * (at most one edit per three letters begun).  An edit is a
 * letter put in, left out, changed, or swapped with its neighbour.
 */
const char *rpc_closest(const char *text, const char *const *candidates,
                        size_t n);

/* -- reading checked parameters (S1); the strings are borrowed ------------- */

bool rpc_has(struct json_object *params, const char *name);
const char *rpc_string(struct json_object *params, const char *name);
uint64_t rpc_size(struct json_object *params, const char *name);
int64_t rpc_int(struct json_object *params, const char *name);
bool rpc_bool(struct json_object *params, const char *name);
/* RPC_STRINGS: how many, and one of them. */
size_t rpc_strings(struct json_object *params, const char *name);
const char *rpc_strings_at(struct json_object *params, const char *name,
                           size_t i);

#endif /* RPC_SCHEMA_H */
