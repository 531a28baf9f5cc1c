package dev.guestcore.serve.gdb;

import dev.guestcore.Architecture;
import dev.guestcore.Guest;
import dev.guestcore.UnsupportedRequestException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Objects;

/**
 * Serves a guest to gdb and lldb over the GDB remote protocol (GDB manual, appendix "GDB Remote Serial Protocol"):
 * vCPUs are threads, memory is what the selected vCPU's page tables show. Nothing can be changed and nothing runs; a
 * client that asks for it is told so.
 *
 * <p>A client may send anything: it gets at most an error reply, and memory in use stays bounded. One that sends
 * nothing but rubbish is left. Thread-safe; valid until the guest is closed, which the server does not do.
 *
 * <pre>{@code
 * try (Guest guest = Guests.open("vm.core"); GdbListener listener = GdbListener.onLoopback(1234)) {
 *     listener.serveNext(new GdbServer(guest));
 * }
 * }</pre>
 */
public final class GdbServer {

    private final Guest guest;

    /**
     * A server of a guest.
     *
     * @throws UnsupportedRequestException if the guest is no x86
     */
    public GdbServer(Guest guest) {
        this.guest = Objects.requireNonNull(guest);
        if (guest.architecture() != Architecture.X86) {
            throw new UnsupportedRequestException(
                    "only x86 guests can be served to a debugger, this one is " + guest.architecture());
        }
    }

    /**
     * Serves one client until it leaves, which is no error however it happens. Does not close the streams.
     *
     * @param in what the client sends
     * @param out what it gets; every packet is flushed
     */
    public void serve(InputStream in, OutputStream out) {
        try {
            new Session(guest, new PacketStream(in, out)).run();
        } catch (IOException e) {
            System.getLogger(GdbServer.class.getName()).log(System.Logger.Level.DEBUG, "the client is gone", e);
        }
    }
}
