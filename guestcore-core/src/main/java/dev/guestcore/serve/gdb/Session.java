package dev.guestcore.serve.gdb;

import dev.guestcore.GuestMemory;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.GuestcoreException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Function;

/**
 * What one client asks and gets (GDB manual, appendix "GDB Remote Serial Protocol", sections "Packets" and "General
 * Query Packets"). A packet that it does not know gets the empty reply, as the protocol has it. Not thread-safe.
 */
final class Session {

    private static final String READ_ONLY = "this is a frozen machine, served read-only: ";
    private static final String CANNOT_WRITE = READ_ONLY + "memory and registers cannot be changed";
    private static final String CANNOT_RUN = READ_ONLY + "it cannot run or step";
    private static final String CANNOT_BREAK = READ_ONLY + "it never runs, so there are no breakpoints";

    /** Signals by their numbers in gdb. */
    private static final String TRAPPED = "05";

    private static final String INTERRUPTED = "02";

    private final PacketStream stream;
    private final GuestView view;
    private final ClientRegisters registers;
    private final Client client = new Client();
    private final Queries queries;
    private boolean open = true;

    Session(GuestView view, PacketStream stream, Function<Vcpu, Optional<String>> names) {
        this.stream = stream;
        this.view = view;
        this.registers = new ClientRegisters(view);
        this.queries = new Queries(stream, view, registers, client, names);
    }

    /** Serves until the client leaves. */
    void run() throws IOException {
        while (open) {
            try {
                Optional<String> packet = stream.next();
                if (packet.isEmpty()) {
                    return;
                }
                answer(packet.get());
            } catch (RequestException e) {
                stream.send(client.error(e.number(), e.getMessage()));
            } catch (GuestcoreException e) {
                stream.send(client.error(RequestException.FAULT, e.getMessage()));
            }
        }
    }

    private void answer(String packet) throws IOException {
        String rest = packet.isEmpty() ? "" : packet.substring(1);
        char kind = packet.isEmpty() ? 0 : packet.charAt(0);
        switch (kind) {
            case '?' -> stream.send(stopReply(TRAPPED));
            case 'g' -> stream.send(registers.all(told()));
            case 'p' -> readRegister(Hex.number(rest));
            case 'm' -> readMemory(rest);
            case 'x' -> readMemoryBinary(rest);
            case 'H' -> select(rest);
            case 'T' -> stream.send(isAlive(rest) ? "OK" : client.error(RequestException.INVALID, "no such vCPU"));
            case 'q', 'Q' -> queries.answer(packet);
            case 'v' -> verbose(packet);
            case 'D' -> {
                stream.send("OK");
                open = false;
            }
            case 'k' -> open = false;
            case 'M', 'X', 'G', 'P' -> throw new RequestException(RequestException.READ_ONLY, CANNOT_WRITE);
            case 'c', 'C', 's', 'S', 'b', 'R', 'r' -> refuseToRun();
            case 'Z' -> throw new RequestException(RequestException.READ_ONLY, CANNOT_BREAK);
            case 'z' -> stream.send("OK");
            default -> stream.send("");
        }
    }

    private void verbose(String packet) throws IOException {
        if (packet.equals("vCont?")) {
            stream.send("vCont;c;C;s;S");
        } else if (packet.startsWith("vCont;")) {
            refuseToRun();
        } else if (packet.startsWith("vKill;")) {
            stream.send("OK");
            open = false;
        } else {
            stream.send("");
        }
    }

    /**
     * A client that lets go waits for a stop and may show text meanwhile. The stop is an interruption: after a trap at
     * the same instruction debuggers would try to step again and again.
     */
    private void refuseToRun() throws IOException {
        stream.send("O" + Hex.ofText("guestcore: " + CANNOT_RUN + "\n"));
        stream.send(stopReply(INTERRUPTED));
    }

    private String stopReply(String signal) {
        return "T" + signal + "thread:" + ThreadId.of(view.selected(), client.multiprocess()) + ";";
    }

    /**
     * As they are told to the client. gdb breaks off where it gets no instruction pointer, so it is told 0 if the
     * source does not know it, and the name of the thread says that this is not the guest's.
     */
    private RegisterState told() {
        RegisterState known = view.vcpu().registers();
        Optional<Register> pointer = view.architecture().instructionPointer();
        return pointer.isEmpty() || known.knows(pointer.get()) || client.isLldb()
                ? known
                : known.toBuilder().set(pointer.get(), 0).build();
    }

    private void readRegister(long number) throws IOException {
        String value = registers.one(number, told());
        // lldb takes the letters that say "unavailable" for a value.
        stream.send(value.startsWith("x") && client.isLldb()
                ? client.error(RequestException.INVALID, "the source does not know this register")
                : value);
    }

    private void select(String text) throws IOException {
        if (text.isEmpty()) {
            throw RequestException.invalid("an empty H packet");
        }
        ThreadId id = ThreadId.parse(text.substring(1));
        if (id.isWildcard()) {
            stream.send("OK");
            return;
        }
        if (!id.isOneOf(view.vcpus().size())) {
            throw RequestException.invalid("thread 0x" + Long.toHexString(id.thread()));
        }
        if (text.charAt(0) == 'g') {
            view.select((int) id.thread() - 1);
        }
        stream.send("OK");
    }

    private boolean isAlive(String text) {
        return ThreadId.parse(text).isOneOf(view.vcpus().size());
    }

    private void readMemory(String range) throws IOException {
        try {
            byte[] bytes = read(range, PacketStream.LARGEST / 2);
            stream.send(Hex.of(bytes, bytes.length));
        } catch (GuestcoreException e) {
            int number = e instanceof RequestException request ? request.number() : RequestException.FAULT;
            stream.send(client.memoryError(number, e.getMessage()));
        }
    }

    private void readMemoryBinary(String range) throws IOException {
        // Every byte may need an escape.
        byte[] bytes = read(range, PacketStream.LARGEST / 2 - 1);
        byte[] reply = new byte[bytes.length + 1];
        reply[0] = 'b';
        System.arraycopy(bytes, 0, reply, 1, bytes.length);
        stream.send(reply);
    }

    /** Reads what there is, at least a byte unless none was wanted. */
    private byte[] read(String range, int most) {
        int comma = range.indexOf(',');
        if (comma < 0) {
            throw RequestException.invalid("a range of memory");
        }
        long address = Hex.number(range.substring(0, comma));
        long size = Hex.number(range.substring(comma + 1));
        GuestMemory memory = view.memory();
        byte[] bytes = new byte[Long.compareUnsigned(size, most) < 0 ? (int) size : most];
        int copied = (int) memory.readAvailable(address, MemorySegment.ofArray(bytes));
        if (copied == 0 && size != 0) {
            throw new RequestException(
                    RequestException.FAULT, "no memory can be read at 0x" + Long.toHexString(address));
        }
        return Arrays.copyOf(bytes, copied);
    }
}
