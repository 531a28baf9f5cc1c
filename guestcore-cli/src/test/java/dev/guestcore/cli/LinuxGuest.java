package dev.guestcore.cli;

import dev.guestcore.testing.MadeUpKernel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** An image of memory with a made-up Linux kernel and its symbols. */
final class LinuxGuest {

    /** By how much KASLR moved it. */
    static final long SLIDE = 0x1c0_0000;

    private LinuxGuest() {}

    /** Writes the image; gives its location. */
    static String in(Path folder) throws IOException {
        Path file = folder.resolve("linux.raw");
        Files.write(file, MadeUpKernel.at(SLIDE, 0x60_0000).withSymbols().bytes());
        return "raw:" + file + "@0";
    }
}
