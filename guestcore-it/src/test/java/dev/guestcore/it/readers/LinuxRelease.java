package dev.guestcore.it.readers;

import dev.guestcore.it.Tools;

/** Which Linux the test's guest runs. */
final class LinuxRelease {

    private LinuxRelease() {}

    /** The release that stands in the name of the kernel's file ("6.1.0-56-cloud-amd64"). */
    static String ofTestKernel() {
        return Tools.requireKernel().getFileName().toString().substring("vmlinuz-".length());
    }
}
