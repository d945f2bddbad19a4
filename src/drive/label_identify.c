/* SPDX-License-Identifier: BSD-2-Clause */
#include "drive/label.h"

#include "base/base.h"

#include <errno.h>
#include <stdio.h>

static const char *const names[LABEL_VERDICTS] = {
	[LABEL_MEMBER] = "member",   [LABEL_BLANK] = "blank",
	[LABEL_FOREIGN] = "foreign", [LABEL_STALE] = "stale",
	[LABEL_AHEAD] = "ahead",     [LABEL_DAMAGED] = "damaged",
	[LABEL_NEWER] = "newer",
};

const char *label_verdict_name(enum label_verdict v)
{
	return (unsigned)v < LABEL_VERDICTS ? names[v] : "unknown";
}

static enum label_verdict unusable(int err, char words[LABEL_WORDS])
{
	switch (err) {
	case -ENOENT:
		snprintf(words, LABEL_WORDS,
		         "no label: the drive belongs to no pool");
		return LABEL_BLANK;
	case -EPROTONOSUPPORT:
		snprintf(words, LABEL_WORDS,
		         "the label was written by a newer version: upgrade "
		         "this node to use the drive");
		return LABEL_NEWER;
	default:
		snprintf(words, LABEL_WORDS,
		         "both copies of the label are %s: replace the drive "
		         "and let the pool rebuild it",
		         label_error(err));
		return LABEL_DAMAGED;
	}
}

static const struct label_member *find(const struct label_pool *pool,
                                       const uint8_t uuid[16])
{
	for (unsigned i = 0; i < pool->n_members; i++)
		if (memcmp(pool->members[i].uuid, uuid, 16) == 0)
			return &pool->members[i];
	return NULL;
}

static enum label_verdict of_this_pool(const struct label_pool *pool,
                                       const struct label *l,
                                       char words[LABEL_WORDS])
{
	const struct label_member *m = find(pool, l->drive_uuid);

	if (l->generation > pool->generation) {
		snprintf(words, LABEL_WORDS,
		         "drive %u of pool %s knows generation %ju, the pool "
		         "only %ju: add the pool's other drives, some of which "
		         "are newer",
		         l->index, pool->name, (uintmax_t)l->generation,
		         (uintmax_t)pool->generation);
		return LABEL_AHEAD;
	}
	if (!m || m->out) {
		snprintf(words, LABEL_WORDS,
		         "was drive %u of pool %s until generation %ju, now "
		         "%ju: %s since, so its data are old; replace it, by "
		         "itself if it is healthy",
		         l->index, pool->name, (uintmax_t)l->generation,
		         (uintmax_t)pool->generation,
		         m ? "it has been failed" : "it has been removed");
		return LABEL_STALE;
	}
	if (m->index != l->index) {
		snprintf(words, LABEL_WORDS,
		         "the label says drive %u of pool %s, the pool says "
		         "drive %u: replace the drive",
		         l->index, pool->name, m->index);
		return LABEL_DAMAGED;
	}
	snprintf(words, LABEL_WORDS, "drive %u of pool %s", l->index,
	         pool->name);
	return LABEL_MEMBER;
}

enum label_verdict label_identify(const struct label_pool *pool, int err,
                                  const struct label *l, uint64_t drive_size,
                                  char words[LABEL_WORDS])
{
	if (err)
		return unusable(err, words);
	if (drive_size < l->drive_size) {
		snprintf(words, LABEL_WORDS,
		         "the drive has %ju bytes, its label says %ju: give it "
		         "its size back, or replace it",
		         (uintmax_t)drive_size, (uintmax_t)l->drive_size);
		return LABEL_DAMAGED;
	}
	if (pool && memcmp(pool->uuid, l->pool_uuid, 16) == 0)
		return of_this_pool(pool, l, words);
	snprintf(words, LABEL_WORDS,
	         "belongs to pool %s as drive %u of %u: choose another drive, "
	         "or erase its label to use it",
	         l->pool_name, l->index, l->drives);
	return LABEL_FOREIGN;
}
