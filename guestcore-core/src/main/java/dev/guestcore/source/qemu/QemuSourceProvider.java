package dev.guestcore.source.qemu;

import dev.guestcore.source.GuestSource;
import dev.guestcore.source.SourceProvider;
import java.time.Duration;

/**
 * {@code qemu:SOCKET}: a live x86 guest of QEMU 7 or later, with or without KVM, over its QMP socket.
 *
 * <p>The system property {@value #MEMORY_PROPERTY} set to {@code pmemsave} keeps away from QEMU's process and reads all
 * memory through files that QEMU saves to the folder of {@code java.io.tmpdir}. {@value #STREAM_PROPERTY} set to {@code
 * socket} takes a snapshot through a socket, where QEMU would else write it to a file in memory by itself.
 *
 * <p>While a guest is frozen a small Java process of the same runtime watches over this one, and lets the guest run again
 * if this one is killed. The system property {@value #WATCHDOG_PROPERTY} set to {@code off} does without.
 */
public final class QemuSourceProvider implements SourceProvider {

    /** Name of the system property that chooses how memory is read. */
    public static final String MEMORY_PROPERTY = "dev.guestcore.qemu.memory";

    /** Name of the system property that does without the process which outlives a killed capture. */
    public static final String WATCHDOG_PROPERTY = "dev.guestcore.qemu.watchdog";

    /** Name of the system property that chooses how a snapshot comes. */
    public static final String STREAM_PROPERTY = "dev.guestcore.qemu.stream";

    /** Called by the service loader. */
    public QemuSourceProvider() {}

    @Override
    public String scheme() {
        return "qemu";
    }

    @Override
    public String help() {
        return "qemu:SOCKET  a live QEMU or KVM guest; SOCKET is where QEMU was told to listen with"
                + " -qmp unix:SOCKET,server,nowait";
    }

    @Override
    public GuestSource connect(String locator) {
        return QemuSource.connect(locator, QemuSource.CONNECTING);
    }

    @Override
    public GuestSource connect(String locator, Duration timeout) {
        return QemuSource.connect(locator, timeout);
    }
}
