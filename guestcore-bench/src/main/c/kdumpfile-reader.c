/*
 * Reads dumps through libkdumpfile and says how long that took. Commands on standard input, a line of answer each:
 *
 *   open FILE                                nanoseconds that opening took
 *   read CHUNK full|touch (FIRST SIZE)...    nanoseconds, nanoseconds of processor time, checksum
 *
 * Reading closes the dump, within the time that it says: only then is unmapped what was mapped to read it.
 *
 * "touch" adds the first 64-bit word of each 4096 bytes; "full" goes over all words: sum = sum * 31 + word.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libkdumpfile/kdumpfile.h>

#define PAGE 4096
#define MOST_ARGUMENTS 8192

static kdump_ctx_t *context;
static int descriptor = -1;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "kdumpfile-reader: %s: %s\n", what, why);
	exit(1);
}

static int64_t now(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void close_dump(void)
{
	kdump_free(context);
	context = NULL;
	close(descriptor);
}

static void open_dump(const char *file)
{
	kdump_attr_t policy = { .type = KDUMP_NUMBER, .val.number = KDUMP_MMAP_ALWAYS };

	if (context)
		close_dump();
	int64_t begin = now(CLOCK_MONOTONIC);
	descriptor = open(file, O_RDONLY);
	if (descriptor < 0)
		fail(file, strerror(errno));
	context = kdump_new();
	if (!context)
		fail(file, "no memory");
	if (kdump_set_attr(context, KDUMP_ATTR_FILE_MMAP_POLICY, &policy) != KDUMP_OK)
		fail(file, kdump_get_err(context));
	if (kdump_open_fd(context, descriptor) != KDUMP_OK)
		fail(file, kdump_get_err(context));
	printf("%" PRId64 "\n", now(CLOCK_MONOTONIC) - begin);
}

static void read_dump(char **arguments, int count)
{
	size_t chunk = strtoull(arguments[1], NULL, 0);
	int full = strcmp(arguments[2], "full") == 0;
	uint64_t sum = 0;
	uint64_t *buffer = aligned_alloc(PAGE, chunk);

	if (!buffer)
		fail("read", "no memory");
	/* The first pass over fresh memory would pay for its pages. */
	memset(buffer, 1, chunk);
	int64_t begin = now(CLOCK_MONOTONIC);
	int64_t begin_cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 3; i + 1 < count; i += 2) {
		uint64_t address = strtoull(arguments[i], NULL, 0);
		uint64_t left = strtoull(arguments[i + 1], NULL, 0);
		while (left) {
			size_t wanted = left < chunk ? left : chunk;
			size_t length = wanted;
			if (kdump_read(context, KDUMP_MACHPHYSADDR, address, buffer, &length) != KDUMP_OK || length != wanted)
				fail("read", kdump_get_err(context));
			if (full)
				for (size_t word = 0; word < length / 8; word++)
					sum = sum * 31 + buffer[word];
			else
				for (size_t word = 0; word < length / 8; word += PAGE / 8)
					sum += buffer[word];
			address += length;
			left -= length;
		}
	}
	close_dump();
	printf("%" PRId64 " %" PRId64 " %" PRIu64 "\n", now(CLOCK_MONOTONIC) - begin,
	       now(CLOCK_PROCESS_CPUTIME_ID) - begin_cpu, sum);
	free(buffer);
}

int main(void)
{
	static char line[1 << 19];
	static char *arguments[MOST_ARGUMENTS];

	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "open ", 5) == 0) {
			open_dump(line + 5);
		} else {
			int count = 0;
			for (char *word = strtok(line, " "); word && count < MOST_ARGUMENTS; word = strtok(NULL, " "))
				arguments[count++] = word;
			if (count < 5 || !context)
				fail("command", "expected: open FILE, then read CHUNK full|touch FIRST SIZE...");
			read_dump(arguments, count);
		}
		fflush(stdout);
	}
	return 0;
}
