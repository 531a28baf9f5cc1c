package dev.guestcore.source.demo;

import java.io.Serial;

/** A vCPU cannot go on. */
final class MachineFault extends RuntimeException {

    @Serial
    private static final long serialVersionUID = 1L;

    MachineFault(String what, long rip) {
        super(what + " (rip 0x" + Long.toHexString(rip) + ")");
    }
}
