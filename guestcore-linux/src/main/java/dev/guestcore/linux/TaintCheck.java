package dev.guestcore.linux;

import dev.guestcore.linux.CheckFinding.Category;
import java.util.List;

/** What the kernel noted that may have spoiled it. Source: {@code Documentation/admin-guide/tainted-kernels.rst} of Linux. */
final class TaintCheck {

    /** By bit. */
    private static final List<String> REASONS = List.of(
            "P: a proprietary module was loaded",
            "F: a module was loaded by force",
            "S: the processor is not made for this use",
            "R: a module was unloaded by force",
            "M: the processor reported a machine check",
            "B: a page or page table was found in a bad state",
            "U: a program asked for it",
            "D: the kernel has oopsed or hit a BUG",
            "A: an ACPI table was replaced",
            "W: the kernel warned about itself",
            "C: a driver from the staging area was loaded",
            "I: a bug of the firmware was worked around",
            "O: a module from outside the kernel's source was loaded",
            "E: a module without a valid signature was loaded",
            "L: a CPU was locked up",
            "K: the kernel was patched while it ran",
            "X: the distribution's own mark",
            "T: structures were shuffled when the kernel was built",
            "N: a test was run in the kernel",
            "J: a program used a debug interface that can write to devices");

    /** M, B, D, W and L. */
    private static final long TROUBLE = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14;

    private TaintCheck() {}

    static void look(Linux linux, KernelCheck.Told told) {
        KernelObject mask = linux.variable("tainted_mask");
        long bits = mask.asLong();
        for (int bit = 0; bit < REASONS.size(); bit++) {
            if ((bits >>> bit & 1) != 0) {
                boolean trouble = (TROUBLE >>> bit & 1) != 0;
                told.found(CheckFinding.of(
                        "taint", trouble ? Category.TROUBLE : Category.NOTE,
                        "the kernel is tainted, " + REASONS.get(bit)));
            }
        }
        if (bits >>> REASONS.size() != 0) {
            told.notJudged(
                    "taint: bits that are not known: 0x" + Long.toHexString(bits >>> REASONS.size() << REASONS.size()));
        }
    }
}
