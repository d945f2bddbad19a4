/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/policy.h"

#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void policy_init(struct policy *p)
{
	*p = (struct policy){ 0 };
}

void policy_fini(struct policy *p)
{
	free(p->partition);
	free(p->guid);
	policy_init(p);
}

/* -- reading --------------------------------------------------------------- */

struct reader {
	struct policy *p;
	struct err *e;
	unsigned line;
	uint32_t room_guids;
};

static int bad(struct reader *r, const char *why, const char *word)
{
	return err_set(r->e, -EINVAL,
	               "line %u: %s%s%s; correct it and reload, until then "
	               "the last good policy stays in force",
	               r->line, why, word ? ": " : "", word ? word : "");
}

static char *next_word(char **rest)
{
	char *w;

	do
		w = strsep(rest, " \t\r");
	while (w && !*w);
	return w;
}

static bool number(const char *word, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long v;

	if (word[0] < '0' || word[0] > '9')
		return false;
	errno = 0;
	v = strtoull(word, &end, 0);
	if (*end || errno || v > max)
		return false;
	*out = v;
	return true;
}

static int add_guid(struct reader *r, struct policy_partition *part,
                    uint64_t guid, bool full)
{
	struct policy *p = r->p;

	if (p->n_guids == POLICY_GUIDS)
		return bad(r, "too many GUIDs in this file", NULL);
	if (p->n_guids == r->room_guids) {
		uint32_t room = r->room_guids ? r->room_guids * 2 : 64;
		struct policy_guid *g = realloc(p->guid, room * sizeof(*g));

		if (!g)
			return err_set(r->e, -ENOMEM, "out of memory");
		p->guid = g;
		r->room_guids = room;
	}
	p->guid[p->n_guids++] = (struct policy_guid){ guid, full };
	part->n++;
	return 0;
}

static int read_who(struct reader *r, struct policy_partition *part, char *list,
                    bool full)
{
	uint8_t *who = full ? &part->full : &part->limited;
	char *word;

	if (*who != POLICY_NOBODY)
		return bad(r, "members are given twice", NULL);
	if (strcmp(list, "all") == 0) {
		*who = POLICY_ALL;
		return 0;
	}
	if (strcmp(list, "sm") == 0) {
		*who = POLICY_SM;
		return 0;
	}
	*who = POLICY_LISTED;
	while ((word = strsep(&list, ",")) != NULL) {
		uint64_t guid;
		int err;

		if (!number(word, UINT64_MAX, &guid) || guid == 0)
			return bad(r, "not a port GUID", word);
		err = add_guid(r, part, guid, full);
		if (err)
			return err;
	}
	return 0;
}

static const struct {
	unsigned value;
	uint8_t code;
} mtus[] = { { 256, 1 }, { 512, 2 }, { 1024, 3 }, { 2048, 4 }, { 4096, 5 } },
  rates[] = { { 10, 3 }, { 20, 6 },   { 40, 7 },  { 30, 4 },   { 60, 8 },
	      { 80, 9 }, { 120, 10 }, { 56, 12 }, { 100, 16 }, { 200, 17 } };

static int read_option(struct reader *r, struct policy_partition *part,
                       char *word)
{
	uint64_t v;

	if (strncmp(word, "full=", 5) == 0)
		return read_who(r, part, word + 5, true);
	if (strncmp(word, "limited=", 8) == 0)
		return read_who(r, part, word + 8, false);
	if (strcmp(word, "ipoib") == 0) {
		part->ipoib = true;
		return 0;
	}
	if (strncmp(word, "sl=", 3) == 0 && number(word + 3, 15, &v)) {
		part->sl = (uint8_t)v;
		return 0;
	}
	if (strncmp(word, "mtu=", 4) == 0 && number(word + 4, 4096, &v))
		for (unsigned i = 0; i < ARRAY_LEN(mtus); i++)
			if (mtus[i].value == v) {
				part->mtu = mtus[i].code;
				return 0;
			}
	if (strncmp(word, "rate=", 5) == 0 && number(word + 5, 1000, &v))
		for (unsigned i = 0; i < ARRAY_LEN(rates); i++)
			if (rates[i].value == v) {
				part->rate = rates[i].code;
				return 0;
			}
	return bad(r, "not understood", word);
}

static int read_partition(struct reader *r, char **rest)
{
	char *name = next_word(rest), *key = next_word(rest), *word;
	struct policy *p = r->p;
	struct policy_partition *part;
	uint64_t v;

	if (!name || !key)
		return bad(r, "a partition has a name and a P_Key", NULL);
	if (strlen(name) >= POLICY_NAME)
		return bad(r, "this name is too long", name);
	if (!number(key, 0xffff, &v) || (v & 0x7fff) == 0)
		return bad(r, "not a P_Key", key);
	if (policy_partition(p, (uint16_t)v))
		return bad(r, "this P_Key was there before", key);
	if (p->n_partitions == POLICY_PARTITIONS)
		return bad(r, "too many partitions", name);
	part = &p->partition[p->n_partitions];
	*part = (struct policy_partition){ .pkey = v & 0x7fff,
		                           .first = p->n_guids };
	snprintf(part->name, sizeof(part->name), "%s", name);
	while ((word = next_word(rest)) != NULL) {
		int err = read_option(r, part, word);

		if (err)
			return err;
	}
	p->n_partitions++;
	return 0;
}

static int read_sl2vl(struct reader *r, char **rest)
{
	for (unsigned i = 0; i < 16; i++) {
		char *word = next_word(rest);
		uint64_t v;

		if (!word || !number(word, 15, &v))
			return bad(r, "sl2vl has 16 lanes, 0 to 15", word);
		r->p->sl2vl[i] = (uint8_t)v;
	}
	r->p->has_sl2vl = true;
	return 0;
}

static int read_arb(struct reader *r, struct policy_arb *arb, char **rest)
{
	char *word;

	arb->n = 0;
	while ((word = next_word(rest)) != NULL) {
		char *weight = strchr(word, ':');
		uint64_t vl, w;

		if (weight)
			*weight++ = '\0';
		if (!weight || !number(word, 14, &vl) ||
		    !number(weight, 255, &w))
			return bad(r, "not VL:WEIGHT", word);
		if (arb->n == POLICY_ARB)
			return bad(r, "at most 32 entries", NULL);
		arb->vl[arb->n] = (uint8_t)vl;
		arb->weight[arb->n++] = (uint8_t)w;
	}
	return arb->n ? 0 : bad(r, "VL:WEIGHT is missing", NULL);
}

static int read_line(struct reader *r, char *line)
{
	char *word, *hash = strchr(line, '#');
	uint64_t v;
	int err;

	if (hash)
		*hash = '\0';
	word = next_word(&line);
	if (!word)
		return 0;
	if (strcmp(word, "partition") == 0)
		return read_partition(r, &line);
	if (strcmp(word, "sl2vl") == 0) {
		err = read_sl2vl(r, &line);
	} else if (strcmp(word, "vlarb-high") == 0) {
		err = read_arb(r, &r->p->high, &line);
	} else if (strcmp(word, "vlarb-low") == 0) {
		err = read_arb(r, &r->p->low, &line);
	} else if (strcmp(word, "high-limit") == 0) {
		word = next_word(&line);
		if (!word || !number(word, 255, &v))
			return bad(r, "high-limit is 0 to 255", word);
		r->p->high_limit = (uint8_t)v;
		r->p->has_limit = true;
		err = 0;
	} else {
		return bad(r, "no such statement", word);
	}
	if (!err && (word = next_word(&line)) != NULL)
		return bad(r, "too much on this line", word);
	return err;
}

int policy_parse(struct policy *out, const char *text, size_t length,
                 struct err *e)
{
	struct policy fresh = { 0 };
	struct reader r = { .p = &fresh, .e = e };
	AUTO_FREE char *copy = NULL;
	char *rest, *line;
	int err = 0;

	if (length > POLICY_FILE_MAX)
		return err_set(e, -E2BIG, "a policy has at most %u bytes",
		               POLICY_FILE_MAX);
	if (memchr(text, '\0', length))
		return err_set(e, -EINVAL, "this is not a text");
	copy = malloc(length + 1);
	fresh.partition = calloc(POLICY_PARTITIONS, sizeof(*fresh.partition));
	if (!copy || !fresh.partition)
		err = err_set(e, -ENOMEM, "out of memory for the policy");
	if (!err) {
		memcpy(copy, text, length);
		copy[length] = '\0';
		rest = copy;
		while (!err && (line = strsep(&rest, "\n")) != NULL) {
			r.line++;
			err = read_line(&r, line);
		}
	}
	if (err) {
		policy_fini(&fresh);
		return err;
	}
	policy_fini(out);
	*out = fresh;
	return 0;
}

int policy_load(struct policy *out, const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	AUTO_FREE char *text = NULL;
	struct err why = { 0 };
	size_t n;
	int err;

	if (!f)
		return err_set(e, -errno, "cannot open the policy %s: %s", path,
		               strerror(errno));
	text = malloc(POLICY_FILE_MAX + 1);
	n = text ? fread(text, 1, POLICY_FILE_MAX + 1, f) : 0;
	err = text ? ferror(f) ? -EIO : 0 : -ENOMEM;
	fclose(f);
	if (err)
		return err_set(e, err, "cannot read the policy %s: %s", path,
		               strerror(-err));
	err = policy_parse(out, text, n, &why);
	return err ? err_set(e, err, "%s: %s", path, why.text) : 0;
}

/* -- asking ---------------------------------------------------------------- */

const struct policy_partition *policy_partition(const struct policy *p,
                                                uint16_t pkey)
{
	for (uint32_t i = 0; i < p->n_partitions; i++)
		if (p->partition[i].pkey == (pkey & 0x7fff))
			return &p->partition[i];
	return NULL;
}

static bool is_in(const struct policy *p, const struct policy_partition *part,
                  uint64_t guid, bool is_sm, bool full)
{
	uint8_t who = full ? part->full : part->limited;

	if (who == POLICY_ALL || (who == POLICY_SM && is_sm))
		return true;
	for (uint32_t i = 0; who == POLICY_LISTED && i < part->n; i++)
		if (p->guid[part->first + i].guid == guid &&
		    p->guid[part->first + i].full == full)
			return true;
	return false;
}

/* With bit 15 for a full member; 0: not a member. */
static uint16_t key_of(const struct policy *p,
                       const struct policy_partition *part, uint64_t guid,
                       bool is_sm)
{
	if (is_in(p, part, guid, is_sm, true))
		return part->pkey | POLICY_PKEY_FULL;
	return is_in(p, part, guid, is_sm, false) ? part->pkey : 0;
}

static uint16_t default_key(const struct policy *p, uint64_t guid, bool is_sm)
{
	const struct policy_partition *part =
		policy_partition(p, POLICY_PKEY_DEFAULT);

	if (!part)
		return POLICY_PKEY_DEFAULT | POLICY_PKEY_FULL;
	return key_of(p, part, guid, is_sm);
}

unsigned policy_keys(const struct policy *p, uint64_t port_guid, bool is_sm,
                     uint16_t *out, unsigned n)
{
	unsigned count = 0;
	uint16_t key = default_key(p, port_guid, is_sm);

	/* The SM must be asked by everybody: limited at least. */
	if (n > 0)
		out[count++] = key ? key : POLICY_PKEY_DEFAULT;
	for (uint32_t i = 0; i < p->n_partitions && count < n; i++) {
		if (p->partition[i].pkey == POLICY_PKEY_DEFAULT)
			continue;
		key = key_of(p, &p->partition[i], port_guid, is_sm);
		if (key)
			out[count++] = key;
	}
	return count;
}

uint16_t policy_common(const struct policy *p, uint64_t a, bool a_is_sm,
                       uint64_t b, bool b_is_sm, uint16_t want)
{
	uint16_t of_a[POLICY_PARTITIONS + 1], of_b[POLICY_PARTITIONS + 1];
	unsigned n_a, n_b;

	if (p->n_partitions == 0)
		return !want || (want & 0x7fff) == POLICY_PKEY_DEFAULT ? 0xffff
		                                                       : 0;
	n_a = policy_keys(p, a, a_is_sm, of_a, ARRAY_LEN(of_a));
	n_b = policy_keys(p, b, b_is_sm, of_b, ARRAY_LEN(of_b));
	for (unsigned i = 0; i < n_a; i++) {
		if (want && (of_a[i] & 0x7fff) != (want & 0x7fff))
			continue;
		for (unsigned k = 0; k < n_b; k++)
			if ((of_a[i] & 0x7fff) == (of_b[k] & 0x7fff) &&
			    ((of_a[i] | of_b[k]) & POLICY_PKEY_FULL))
				return of_a[i];
	}
	return 0;
}
