/* Reads every page below a given address once with libkdumpfile, and says how fast: file, pages, rounds. */
#include <libkdumpfile/kdumpfile.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "read-kdump FILE PAGES ROUNDS\n");
        return 2;
    }
    static unsigned char page[4096];
    for (int round = 0; round < atoi(argv[3]); round++) {
        kdump_ctx_t *dump = kdump_new();
        int file = open(argv[1], O_RDONLY);
        if (!dump || file < 0 || kdump_set_number_attr(dump, KDUMP_ATTR_FILE_FD, file) != KDUMP_OK) {
            fprintf(stderr, "read-kdump: %s: %s\n", argv[1], dump ? kdump_get_err(dump) : "no memory");
            return 1;
        }
        struct timespec begin, end;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        unsigned long pages = 0, sum = 0;
        for (unsigned long number = 0; number < strtoul(argv[2], 0, 10); number++) {
            size_t size = sizeof page;
            if (kdump_read(dump, KDUMP_MACHPHYSADDR, number << 12, page, &size) == KDUMP_OK) {
                pages++;
                sum += page[number & 4095];
            }
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        double seconds = (end.tv_sec - begin.tv_sec) + (end.tv_nsec - begin.tv_nsec) / 1e9;
        printf("libkdumpfile round %d: %.2f GB/s of processor time, %lu pages, sum %lu\n", round,
               pages * 4096.0 / seconds / 1e9, pages, sum);
        kdump_free(dump);
    }
    return 0;
}
