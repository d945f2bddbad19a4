/* SPDX-License-Identifier: BSD-2-Clause */
/* The LID map as text, and on disk. */
#include "base/base.h"
#include "base/crc.h"
#include "subnet/lidmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#define HEAD "causeway-lids 1\n"
#define LINE_MAX_LENGTH 127u

char *lidmap_format(const struct lidmap *m, size_t *length)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, length);
	bool failed;

	if (!f)
		return NULL;
	fprintf(f, HEAD "virtual-range %u %u\n", m->virtual_first,
	        m->virtual_last);
	for (unsigned lid = 1; lid < LIDMAP_LIDS; lid++) {
		const struct lidmap_entry *en = lidmap_owner(m, (uint16_t)lid);

		if (!en || en->lid != lid)
			continue;
		if (en->kind == LIDMAP_PORT)
			fprintf(f, "port 0x%016" PRIx64 " lid %u lmc %u\n",
			        en->guid, en->lid, en->lmc);
		else
			fprintf(f, "host 0x%016" PRIx64 " lid %u\n", en->guid,
			        en->lid);
	}
	fflush(f);
	fprintf(f, "crc32c %08x\n", base_crc32c(0, text, *length));
	failed = ferror(f);
	if (fclose(f) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}

/* -- reading --------------------------------------------------------------- */

struct reader {
	struct lidmap *map;
	const char *text;
	size_t length;
	size_t at;
	unsigned line;
	struct err *e;
	bool closed; /* the checksum's line was the last one */
};

static int bad(struct reader *r, const char *why)
{
	return err_set(r->e, -EINVAL,
	               "line %u: %s; correct it, or remove the file to have "
	               "LIDs assigned anew",
	               r->line, why);
}

/* @return 1: a line is in `line`; 0: the end; -EINVAL. */
static int next_line(struct reader *r, char line[LINE_MAX_LENGTH + 1])
{
	const char *from = r->text + r->at;
	const char *end;
	size_t n;

	if (r->at == r->length)
		return 0;
	r->line++;
	end = memchr(from, '\n', r->length - r->at);
	if (!end)
		return bad(r, "the last line has no end");
	n = (size_t)(end - from);
	if (n > LINE_MAX_LENGTH || memchr(from, '\0', n))
		return bad(r, "not a line of this file");
	memcpy(line, from, n);
	line[n] = '\0';
	r->at += n + 1;
	return 1;
}

static int read_owner(struct reader *r, enum lidmap_kind kind, uint64_t guid,
                      unsigned lid, unsigned lmc)
{
	if (guid == 0 || lid == 0 || lid >= LIDMAP_LIDS || lmc > LIDMAP_LMC_MAX)
		return bad(r, "a GUID, LID or LMC out of range");
	if (lidmap_get(r->map, kind, guid, NULL))
		return bad(r, "this GUID was there before");
	if (lidmap_assign(r->map, kind, guid, (uint8_t)lmc, (uint16_t)lid) !=
	    lid)
		return bad(r, "this LID is in use, or out of its range");
	return 0;
}

static int read_range(struct reader *r, unsigned first, unsigned last)
{
	if (r->map->n > 0 || first == 0 || first > last || last >= LIDMAP_LIDS)
		return bad(r, "not a range of virtual LIDs");
	r->map->virtual_first = (uint16_t)first;
	r->map->virtual_last = (uint16_t)last;
	r->map->next[LIDMAP_HOST] = (uint16_t)first;
	return 0;
}

static int read_line(struct reader *r, const char *line, size_t start)
{
	unsigned a, b;
	uint64_t guid;
	int end = -1;

	if (sscanf(line, "port 0x%" SCNx64 " lid %u lmc %u%n", &guid, &a, &b,
	           &end) == 3 &&
	    !line[end])
		return read_owner(r, LIDMAP_PORT, guid, a, b);
	if (sscanf(line, "host 0x%" SCNx64 " lid %u%n", &guid, &a, &end) == 2 &&
	    !line[end])
		return read_owner(r, LIDMAP_HOST, guid, a, 0);
	if (sscanf(line, "virtual-range %u %u%n", &a, &b, &end) == 2 &&
	    !line[end])
		return read_range(r, a, b);
	if (sscanf(line, "crc32c %8x%n", &a, &end) == 1 && !line[end]) {
		r->closed = true;
		if (a != base_crc32c(0, r->text, start))
			return err_set(r->e, -EBADMSG,
			               "the checksum on line %u is wrong: the "
			               "file is damaged, or was edited (then "
			               "remove that line)",
			               r->line);
		return 0;
	}
	return line[0] == '#' || !line[0] ? 0 : bad(r, "not understood");
}

static int read_lines(struct reader *r)
{
	char line[LINE_MAX_LENGTH + 1];
	int err = next_line(r, line);

	if (err < 0)
		return err;
	if (err == 0 || strcmp(line, "causeway-lids 1") != 0)
		return bad(r, "this is not a file of LIDs, or of a later "
		              "version");
	for (;;) {
		size_t start = r->at;

		err = next_line(r, line);
		if (err <= 0)
			return err;
		if (r->closed)
			return bad(r, "there is more after the checksum");
		err = read_line(r, line, start);
		if (err)
			return err;
	}
}

int lidmap_parse(struct lidmap *m, const char *text, size_t length,
                 struct err *e)
{
	struct lidmap fresh;
	struct reader r = {
		.map = &fresh, .text = text, .length = length, .e = e
	};
	int err;

	if (length > LIDMAP_FILE_MAX)
		return err_set(e, -E2BIG, "a file of LIDs has at most %u bytes",
		               LIDMAP_FILE_MAX);
	err = lidmap_init(&fresh, LIDMAP_LIDS);
	if (err)
		return err_set(e, err, "out of memory for LIDs");
	fresh.virtual_first = m->virtual_first;
	fresh.virtual_last = m->virtual_last;
	fresh.next[LIDMAP_HOST] = m->virtual_first;
	err = read_lines(&r);
	if (err) {
		lidmap_fini(&fresh);
		return err;
	}
	lidmap_fini(m);
	*m = fresh;
	m->changed = false;
	return 0;
}

int lidmap_load(struct lidmap *m, const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	AUTO_FREE char *text = NULL;
	struct err why = { 0 };
	size_t n;
	int err;

	if (!f && errno == ENOENT)
		return 0;
	if (!f)
		return err_set(e, -errno, "cannot open %s: %s", path,
		               strerror(errno));
	text = malloc(LIDMAP_FILE_MAX + 1);
	n = text ? fread(text, 1, LIDMAP_FILE_MAX + 1, f) : 0;
	err = text ? ferror(f) ? -EIO : 0 : -ENOMEM;
	fclose(f);
	if (err)
		return err_set(e, err, "cannot read %s: %s", path,
		               strerror(-err));
	err = n ? lidmap_parse(m, text, n, &why) : 0;
	if (err)
		return err_set(e, err, "%s: %s", path, why.text);
	return 0;
}

static int write_new(const char *path, const char *text, size_t n)
{
	AUTO_CLOSE int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (fd < 0)
		return -errno;
	while (n > 0) {
		ssize_t done = write(fd, text, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		text += done;
		n -= (size_t)done;
	}
	return fsync(fd) ? -errno : 0;
}

static int sync_folder(const char *path)
{
	AUTO_FREE char *copy = strdup(path);
	AUTO_CLOSE int fd =
		copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
		     : -1;

	return fd < 0 || fsync(fd) ? -errno : 0;
}

int lidmap_save(struct lidmap *m, const char *path, struct err *e)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *temp = NULL;
	size_t n;
	int err;

	text = lidmap_format(m, &n);
	if (!text || asprintf(&temp, "%s.new", path) < 0)
		return err_set(e, -ENOMEM, "out of memory to save LIDs");
	err = write_new(temp, text, n);
	if (!err && rename(temp, path) != 0)
		err = -errno;
	if (!err)
		err = sync_folder(path);
	if (err)
		return err_set(e, err, "cannot write %s: %s", path,
		               strerror(-err));
	m->changed = false;
	return 0;
}
