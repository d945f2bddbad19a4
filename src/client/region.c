/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/client_priv.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static int register_fd(struct causeway *c, int fd, uint64_t offset,
                       size_t length, unsigned rights,
                       struct causeway_region *r)
{
	const struct bridge_request request = { .type = BRIDGE_REGISTER,
		                                .rights = rights,
		                                .offset = offset,
		                                .length = length };
	struct bridge_reply reply;
	int err = client_call(c, &request, fd, &reply, NULL);

	if (!err)
		memcpy(r->key.byte, reply.key, sizeof(reply.key));
	return err;
}

int causeway_region_register(struct causeway *c, int fd, uint64_t offset,
                             size_t length, unsigned rights,
                             struct causeway_region **out)
{
	struct causeway_region *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return client_fail(c, -ENOMEM, "no memory");
	r->context = c;
	r->length = length;
	r->data = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	               (off_t)offset);
	if (r->data == MAP_FAILED) {
		err = client_fail(c, -errno, "cannot map it: %s",
		                  strerror(errno));
		free(r);
		return err;
	}
	/* A child must not write into what the bridge moves for us. */
	(void)madvise(r->data, length, MADV_DONTFORK);
	err = register_fd(c, fd, offset, length, rights, r);
	if (err) {
		munmap(r->data, length);
		free(r);
		return err;
	}
	list_append(&c->regions, &r->link);
	*out = r;
	return 0;
}

int causeway_region_create(struct causeway *c, size_t length, unsigned rights,
                           struct causeway_region **out)
{
	int fd, err = 0;

	if (length == 0 || length > BRIDGE_LENGTH_MAX)
		return client_fail(c, -EINVAL, "a region of %zu bytes", length);
	fd = memfd_create("causeway-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return client_fail(c, -errno, "no memfd: %s", strerror(errno));
	if (ftruncate(fd, (off_t)length) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		err = client_fail(c, -errno, "no %zu bytes: %s", length,
		                  strerror(errno));
	if (!err)
		err = causeway_region_register(c, fd, 0, length, rights, out);
	close(fd);
	return err;
}

void client_free_region(struct list *link)
{
	struct causeway_region *r =
		list_entry(link, struct causeway_region, link);

	list_remove(&r->link);
	munmap(r->data, r->length);
	free(r);
}

int causeway_region_destroy(struct causeway_region *r)
{
	int err;

	if (!r)
		return 0;
	err = causeway_revoke(r->context, &r->key);
	client_free_region(&r->link);
	return err;
}

void *causeway_region_data(const struct causeway_region *r)
{
	return r->data;
}

size_t causeway_region_length(const struct causeway_region *r)
{
	return r->length;
}

const struct causeway_key *causeway_region_key(const struct causeway_region *r)
{
	return &r->key;
}

/* -- keys ------------------------------------------------------------------ */

static int fill_grant(struct causeway *c, const struct causeway_range *ranges,
                      unsigned n_ranges, const struct causeway_grant_options *o,
                      struct bridge_request *q)
{
	if (n_ranges == 0 || n_ranges > CAUSEWAY_RANGES_MAX ||
	    (o->node && !base_is_name(o->node, strlen(o->node))))
		return client_fail(c, -EINVAL,
		                   "a key needs 1 to %u ranges, and its holder "
		                   "a name",
		                   CAUSEWAY_RANGES_MAX);
	*q = (struct bridge_request){ .type = BRIDGE_GRANT,
		                      .rights = o->rights,
		                      .number = n_ranges,
		                      .lease_ms = o->lease_ms,
		                      .bytes_per_s = o->bytes_per_s,
		                      .ops_per_s = o->ops_per_s };
	if (o->node) {
		snprintf(q->node, sizeof(q->node), "%s", o->node);
		memcpy(q->process, o->process.byte, sizeof(q->process));
	}
	for (unsigned i = 0; i < n_ranges; i++) {
		memcpy(q->range[i].key, ranges[i].key.byte, BRIDGE_KEY);
		q->range[i].offset = ranges[i].offset;
		q->range[i].length = ranges[i].length;
	}
	return 0;
}

void client_write_descriptor(const char *node, const struct causeway_key *key,
                             char out[CAUSEWAY_DESCRIPTOR_MAX])
{
	char *at =
		out + snprintf(out, CAUSEWAY_DESCRIPTOR_MAX, "cw1:%s/", node);

	static_assert(CAUSEWAY_DESCRIPTOR_MAX >=
	                      4 + BRIDGE_NAME + 2 * sizeof(key->byte) + 1,
	              "prefix, name and slash, digits, NUL");
	for (unsigned i = 0; i < sizeof(key->byte); i++, at += 2)
		snprintf(at, 3, "%02x", key->byte[i]);
}

int causeway_grant(struct causeway *c, const struct causeway_range *ranges,
                   unsigned n_ranges, const struct causeway_grant_options *o,
                   struct causeway_key *key, char *descriptor)
{
	struct causeway_key made;
	struct bridge_request q;
	struct bridge_reply reply;
	int err = fill_grant(c, ranges, n_ranges, o, &q);

	if (!err)
		err = client_call(c, &q, -1, &reply, NULL);
	if (err)
		return err;
	memcpy(made.byte, reply.key, sizeof(made.byte));
	if (key)
		*key = made;
	if (descriptor)
		client_write_descriptor(c->node, &made, descriptor);
	return 0;
}

int causeway_revoke(struct causeway *c, const struct causeway_key *key)
{
	struct bridge_request q = { .type = BRIDGE_REVOKE };
	struct bridge_reply reply;

	memcpy(q.key, key->byte, sizeof(q.key));
	return client_call(c, &q, -1, &reply, NULL);
}
