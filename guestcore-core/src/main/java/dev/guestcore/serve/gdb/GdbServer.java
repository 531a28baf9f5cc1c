package dev.guestcore.serve.gdb;

import dev.guestcore.Guest;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.kernel.AddressSpaceChoice;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/**
 * Serves a guest to gdb and lldb over the GDB remote protocol (GDB manual, appendix "GDB Remote Serial Protocol"):
 * vCPUs are threads, memory is what the selected vCPU's page tables map. The guest cannot be changed and does not run; a
 * client that tries gets an error.
 *
 * <p>A client may send anything: it gets at most an error reply, and memory in use stays bounded. One that sends
 * nothing but rubbish is left. Thread-safe; valid until the guest is closed, which the server does not do.
 *
 * <pre>{@code
 * try (Guest guest = Guests.open("vm.core"); GdbListener listener = GdbListener.onLoopback(1234)) {
 *     listener.serveAll(new GdbServer(guest));
 * }
 * }</pre>
 */
public final class GdbServer {

    private final Guest guest;
    private final TranslationOptions stated;
    private final Optional<AddressSpaceChoice> known;
    private final Function<Vcpu, Optional<String>> names;

    /**
     * A server of a guest that translates as its registers say, or as a note of the dump says that the kernel does.
     */
    public GdbServer(Guest guest) {
        this(guest, TranslationOptions.defaults(), choice(guest));
    }

    private static Optional<AddressSpaceChoice> choice(Guest guest) {
        try {
            return Optional.of(AddressSpaceChoice.glance(
                    guest, guest.vcpus().stream().findFirst(), TranslationOptions.defaults()));
        } catch (GuestcoreException e) {
            // Then memory is served by guest-physical address, and whoever asks for more is told why.
            return Optional.empty();
        }
    }

    /**
     * A server of a guest with some things stated by the caller.
     *
     * @param stated what counts for all vCPUs before what their registers say
     * @param known the address space for vCPUs whose registers do not lead to one, and the encryption bit for all; empty if
     *     none is known: then memory of a guest without registers is served by guest-physical address
     */
    public GdbServer(Guest guest, TranslationOptions stated, Optional<AddressSpaceChoice> known) {
        this(guest, stated, known, vcpu -> Optional.empty());
    }

    /**
     * The same with names for threads.
     *
     * @param names what the list of threads shows of a vCPU in place of its number
     */
    public GdbServer(
            Guest guest,
            TranslationOptions stated,
            Optional<AddressSpaceChoice> known,
            Function<Vcpu, Optional<String>> names) {
        this.guest = Objects.requireNonNull(guest);
        this.names = Objects.requireNonNull(names);
        this.known = Objects.requireNonNull(known);
        long mask = known.map(choice -> choice.space().paging().encryptionMask()).orElse(0L);
        this.stated = mask == 0 || stated.encryptionMask() != 0
                ? stated
                : stated.withEncryptionBit(Long.numberOfTrailingZeros(mask));
    }

    /**
     * What a client must know that gets no registers, in one line: the source does not say which processor the guest has, or
     * debuggers know it under no name that is known here. Empty for any other guest.
     */
    public Optional<String> restriction() {
        GuestView view = new GuestView(guest, stated, known);
        Architecture family = view.architecture();
        if (new ClientRegisters(view).xml().isPresent()) {
            return Optional.empty();
        }
        String why = family == Architecture.UNKNOWN
                ? "the source does not say which processor this is"
                : "registers of " + family.title() + " are not known here";
        return Optional.of("memory only, by " + (view.isPhysical() ? "guest-physical" : "virtual") + " address: " + why
                + "; 'set architecture' in gdb says how it shows code");
    }

    /**
     * Serves one client until it leaves, which is no error however it happens. Does not close the streams.
     *
     * @param in what the client sends
     * @param out what it gets; every packet is flushed
     */
    public void serve(InputStream in, OutputStream out) {
        try {
            new Session(new GuestView(guest, stated, known), new PacketStream(in, out), names).run();
        } catch (IOException e) {
            System.getLogger(GdbServer.class.getName())
                    .log(System.Logger.Level.DEBUG, "the client has disconnected", e);
        }
    }

    /** Answers the first packet of a client that is not served with the reason. */
    static void refuse(InputStream in, OutputStream out, String reason) throws IOException {
        PacketStream stream = new PacketStream(in, out);
        Client client = new Client();
        client.setTextErrors();
        if (stream.next().isPresent()) {
            stream.send(client.error(RequestException.INVALID, reason));
        }
    }
}
