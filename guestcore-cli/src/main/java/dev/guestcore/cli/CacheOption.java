package dev.guestcore.cli;

import dev.guestcore.linux.KernelCache;
import picocli.CommandLine.Option;

/** The option of the commands that look for a kernel: whether to remember where it was. */
final class CacheOption {

    @Option(
            names = "--no-cache",
            description = "Search for the kernel, wherever it was found before, and do not remember where it is.")
    boolean none;

    /** What is remembered of a dump. */
    KernelCache of(String source) {
        return none
                ? KernelCache.none()
                : KernelCache.folder(System.getenv())
                        .map(folder -> KernelCache.of(folder, source))
                        .orElseGet(KernelCache::none);
    }
}
