/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lend memory to one process, here or on another node, and use it there.
 *
 *     share use                 prints "NODE IDENTITY", then waits for a line
 *     share lend NODE IDENTITY  prints the line to give it, then waits for the
 *                               borrower to count its visit
 *
 * examples/README.md shows what it looks like.
 */
#include <causeway/causeway.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES 4096
#define COUNTER 0 /* where the visits are counted */
#define TEXT 64   /* where the text is */

static void die(struct causeway *c, const char *what, int err)
{
	fprintf(stderr, "share: %s: %s%s%s\n", what, strerror(-err),
	        c && *causeway_error(c) ? ": " : "",
	        c ? causeway_error(c) : "");
	exit(1);
}

static void print_key(const struct causeway_key *key)
{
	for (unsigned i = 0; i < sizeof(key->byte); i++)
		printf("%02x", key->byte[i]);
	printf("\n");
	fflush(stdout);
}

static int parse_key(const char *text, struct causeway_key *key)
{
	if (strlen(text) != 2 * sizeof(key->byte))
		return -1;
	for (unsigned i = 0; i < sizeof(key->byte); i++) {
		unsigned byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return -1;
		key->byte[i] = (unsigned char)byte;
	}
	return 0;
}

static void lend(struct causeway *c, const char *node, const char *identity)
{
	struct causeway_grant_options o = {
		.node = node,
		.rights = CAUSEWAY_READ | CAUSEWAY_WRITE | CAUSEWAY_ATOMIC,
		.lease_ms = 60 * 1000, /* the key ends by itself */
	};
	char line[CAUSEWAY_DESCRIPTOR_MAX];
	struct causeway_region *region;
	struct causeway_range all = { .length = BYTES };
	const volatile unsigned long long *counter;
	char *memory;
	int err;

	if (parse_key(identity, &o.process)) {
		fprintf(stderr, "share: not an identity: %s\n", identity);
		exit(2);
	}
	err = causeway_region_create(c, BYTES, o.rights, &region);
	if (err)
		die(c, "no region", err);
	memory = causeway_region_data(region);
	snprintf(memory + TEXT, BYTES - TEXT, "memory of %s", causeway_node(c));
	all.key = *causeway_region_key(region);
	err = causeway_grant(c, &all, 1, &o, NULL, line);
	if (err)
		die(c, "no key", err);
	puts(line);
	fflush(stdout);

	/* It is ordinary memory: the borrower's work just appears in it. */
	counter = (const void *)(memory + COUNTER);
	while (*counter == 0)
		usleep(10000);
	printf("visitor %llu wrote: %s\n", *counter, memory + TEXT);
	causeway_region_destroy(region); /* the key ends with it */
}

/* Wait for the one command that is under way. */
static void finish(struct causeway_queue *q, const char *what)
{
	struct causeway_completion done;
	int n = causeway_wait(q, &done, 1, 10000);

	if (n != 1 || done.status != CAUSEWAY_OK) {
		fprintf(stderr, "share: %s: %s\n", what,
		        n == 1 ? causeway_status_text(
					 (enum causeway_status)done.status)
		               : "no answer");
		exit(1);
	}
}

static void use(struct causeway *c)
{
	char line[CAUSEWAY_DESCRIPTOR_MAX + 1];
	struct causeway_region *region;
	struct causeway_window *window;
	struct causeway_queue *q;
	struct causeway_key me;
	char *memory;
	int err;

	causeway_identity(c, &me);
	printf("%s ", causeway_node(c));
	print_key(&me);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
	line[strcspn(line, "\n")] = '\0';
	err = causeway_import(c, line, &window);
	if (err)
		die(c, "no window", err);
	err = causeway_region_create(c, BYTES, CAUSEWAY_READ | CAUSEWAY_WRITE,
	                             &region);
	if (err)
		die(c, "no region", err);
	err = causeway_queue_create(c, 4, &q);
	if (err)
		die(c, "no queue", err);
	memory = causeway_region_data(region);

	causeway_read(q, 1, region, 0, window, TEXT, BYTES - TEXT);
	finish(q, "read");
	printf("it says: %s\n", memory);
	snprintf(memory, BYTES, "hello from %s", causeway_node(c));
	causeway_write(q, 2, region, 0, window, TEXT, strlen(memory) + 1);
	finish(q, "write");
	causeway_fetch_and_add(q, 3, window, COUNTER, 1);
	finish(q, "fetch-and-add");
	causeway_queue_destroy(q);
	causeway_window_close(window);
	causeway_region_destroy(region);
}

int main(int argc, char **argv)
{
	struct causeway *c;
	int err;

	if (!(argc == 2 && strcmp(argv[1], "use") == 0) &&
	    !(argc == 4 && strcmp(argv[1], "lend") == 0)) {
		fprintf(stderr, "share use | share lend NODE IDENTITY\n");
		return 2;
	}
	err = causeway_open(NULL, &c);
	if (err)
		die(NULL, "no bridge", err);
	if (argc == 2)
		use(c);
	else
		lend(c, argv[2], argv[3]);
	causeway_close(c);
	return 0;
}
