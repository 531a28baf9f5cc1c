package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.inspect.HexDump;
import dev.guestcore.internal.output.ChannelSink;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.json.Json;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore read}. */
@Command(
        name = "read",
        description = {
            "Read memory by guest-physical or virtual address, or by the addresses of a process of a Linux guest: a hex "
                    + "dump, or the bytes themselves.",
            "",
            "In a hex dump, ?? is a byte that cannot be read; if no byte can be read, the exit code is 1. --raw stops "
                    + "with an error at the first one. With --json, memory comes in pieces, each with its state, and those "
                    + "that are present with their bytes."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore read vm.core 0x200000 256",
            "  guestcore read vm.core 0 1M --raw -o low.bin",
            "  guestcore read vm.core --virtual 0xffffffff81000000 --cpu 1",
            "  guestcore read vm.core --pid 1234 0x400000 64"
        })
final class ReadVerb extends Verb {

    private static final int CHUNK = 1 << 20;

    /** Bytes up to which a dump is made while a guest stands still; what is printed is longer, and is held back. */
    private static final long MOST_SHOWN = 1 << 20;

    /** Bytes up to which memory is put aside, which takes milliseconds. */
    private static final long MOST_KEPT = 64 << 20;

    private static final int PAGE = Architecture.SMALLEST_PAGE;

    /** With page tables of four levels, and of five. */
    private static final int LEAST_VIRTUAL_BITS = 48;

    private static final int MOST_VIRTUAL_BITS = 57;

    @Parameters(
            index = "0",
            paramLabel = "<source>",
            description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Parameters(
            index = "1",
            paramLabel = "<address>",
            converter = Quantity.Address.class,
            description = "Guest-physical address, or with --virtual a virtual one: decimal, 0x hexadecimal, or with a "
                    + "unit as in 4KiB or 2G.")
    long address;

    @Parameters(
            index = "2",
            arity = "0..1",
            paramLabel = "<length>",
            defaultValue = "256",
            converter = Quantity.Length.class,
            description = "Number of bytes, written the same way. Default: 256.")
    long length;

    @Option(names = "--raw", description = "Write the bytes themselves.")
    boolean raw;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "<file>",
            description = "With --raw: the file to write; '-', the default, is standard output.")
    @Nullable
    String output;

    @Option(names = "--force", description = "Replace the file if it exists.")
    boolean force;

    @Option(
            names = "--machine",
            description = "The address is a machine address, as in page tables of a Xen PV guest.")
    boolean machine;

    @Option(names = "--virtual", description = "The address is a virtual one, seen through a vCPU's page tables.")
    boolean virtual;

    @Mixin
    AddressSpaceOptions addressSpace = new AddressSpaceOptions();

    @Mixin
    ProcessOption process = new ProcessOption();

    @Mixin
    ProgressOption progress = new ProgressOption();

    @Mixin
    FreezeOption freeze = new FreezeOption();

    ReadVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        if (json && raw) {
            throw usage("choose one of --json and --raw");
        }
        if (!raw && output != null) {
            throw usage("-o needs --raw; a hex dump goes to standard output");
        }
        boolean stream = output == null || output.equals(FileNames.STANDARD_OUTPUT);
        if (force && stream) {
            throw usage("--force needs -o with a file");
        }
        if (raw && stream && console().terminal().out()) {
            throw usage("standard output is a terminal; send it to a pipe or a file, or name a file with -o");
        }
        if (length > 0 && Long.compareUnsigned(address + (length - 1), address) < 0) {
            throw usage("the range extends past the end of the address space");
        }
        if (machine && isVirtual()) {
            throw usage("choose one of " + (virtual ? "--virtual" : "--pid") + " and --machine");
        }
        process.check(this, addressSpace);
        addressSpace.check(this, virtual);
        if (stream) {
            return streaming(this::toStandardOutput);
        }
        return unwinding(() -> {
            String name = Optional.ofNullable(output).orElseThrow();
            return write(bytes -> copyToFile(bytes, name));
        });
    }

    private boolean isVirtual() {
        return virtual || process.isGiven();
    }

    private FreezeOption.Need need() {
        return length > (raw ? MOST_KEPT : MOST_SHOWN) ? FreezeOption.Need.MUCH : FreezeOption.Need.LITTLE;
    }

    private int toStandardOutput() throws IOException {
        if (raw) {
            return write(bytes -> {
                ChannelSink sink = new ChannelSink(console().outChannel(), "standard output");
                copy(bytes, sink);
                sink.flush();
            });
        }
        try (FreezeOption.Look look = freeze.look(this);
                Guest guest = look.open(source, need(), progress.mode, this::show)) {
            return show(guest);
        }
    }

    private int show(Guest guest) throws IOException {
        GuestMemory memory = memory(guest);
        if (json) {
            printJson(ReadJson.of(memory, source, process, address, length, console().cancellation()));
        } else if (!HexDump.write(memory, address, length, new CancellableOutput(console()))) {
            int damage = report(guest.findings());
            remark("guestcore: none of these bytes can be read: " + why(memory));
            return damage == ExitCode.DONE ? ExitCode.FAILED : damage;
        }
        return report(guest.findings());
    }

    /** Where the bytes come from that are written. */
    @FunctionalInterface
    private interface Bytes {

        /** Fills a segment from so many bytes behind the address on. */
        void read(long offset, MemorySegment target);
    }

    /** Bytes of a live guest, so that it need not wait until they are written. */
    private final class Aside implements Bytes {

        private final Arena arena;
        private @Nullable MemorySegment kept;

        Aside(Arena arena) {
            this.arena = arena;
        }

        int fill(Guest guest) {
            MemorySegment target = kept;
            if (target == null) {
                target = arena.allocate(length, PAGE);
                kept = target;
            }
            memory(guest).read(address, target);
            return ExitCode.DONE;
        }

        @Override
        public void read(long offset, MemorySegment target) {
            target.copyFrom(Objects.requireNonNull(kept).asSlice(offset, target.byteSize()));
        }
    }

    private int write(Consumer<Bytes> writing) {
        try (Arena arena = Arena.ofConfined();
                FreezeOption.Look look = freeze.look(this)) {
            Aside aside = new Aside(arena);
            int code;
            try (Guest guest = look.open(source, need(), progress.mode, aside::fill)) {
                if (!look.isHolding() || need() != FreezeOption.Need.LITTLE) {
                    GuestMemory memory = memory(guest);
                    writing.accept((offset, target) -> memory.read(address + offset, target));
                    return report(guest.findings());
                }
                aside.fill(guest);
                code = report(guest.findings());
            }
            writing.accept(aside);
            return code;
        }
    }

    private GuestMemory memory(Guest guest) {
        if (process.isGiven()) {
            return process.of(guest, source, this).memory();
        }
        if (virtual) {
            return addressSpace.of(guest, source, this).memory();
        }
        if (machine) {
            return machineMemory(guest);
        }
        checkPhysical(guest);
        return guest.memory();
    }

    /** An address in the kernel's half is no guest-physical one: no processor has so many address lines. */
    private void checkPhysical(Guest guest) {
        boolean canonical = address >> LEAST_VIRTUAL_BITS - 1 == -1 || address >> MOST_VIRTUAL_BITS - 1 == -1;
        if (canonical && guest.memory().regionAt(address).isEmpty()) {
            boolean translates = guest.architecture().mayBe(Architectures.X86);
            throw new UnsupportedRequestException(source + ": " + Json.address(address)
                    + " is not a guest-physical address but looks like a virtual address of the kernel"
                    + (translates
                            ? "; read it with --virtual"
                            : "; virtual addresses are translated for x86 guests only"));
        }
    }

    /** Why not even the first byte can be read. */
    private String why(GuestMemory memory) {
        try {
            memory.read(address, MemorySegment.ofArray(new byte[1]));
            return "the source does not have this memory";
        } catch (GuestcoreException e) {
            boolean mayBeVirtual = !isVirtual() && !machine && memory.regionAt(address).isEmpty();
            return Printable.of(String.valueOf(e.getMessage()))
                    + (mayBeVirtual ? "; to read a virtual address, use --virtual" : "")
                    + (process.isGiven() ? process.advice(source) : "");
        }
    }

    private GuestMemory machineMemory(Guest guest) {
        return guest.machineMemory()
                .orElseThrow(() -> new UnsupportedRequestException(
                        source + ": has no machine addresses (only Xen PV guests have); leave out --machine"));
    }

    private void copyToFile(Bytes bytes, String name) {
        OutputFile.IfExists ifExists = force ? OutputFile.IfExists.REPLACE : OutputFile.IfExists.FAIL;
        try (OutputFile file = OutputFile.create(FileNames.fileToWrite(name), ifExists)) {
            file.requireSpace(length);
            copy(bytes, file.sink());
            file.commit();
        }
    }

    private void copy(Bytes bytes, CoreSink sink) {
        try (Arena arena = Arena.ofConfined();
                ShownProgress shown = progress(progress.mode)) {
            MemorySegment buffer = arena.allocate(CHUNK, PAGE);
            shown.begin("reading memory", length);
            long done = 0;
            while (done < length) {
                MemorySegment chunk = buffer.asSlice(0, Math.min(CHUNK, length - done));
                bytes.read(done, chunk);
                sink.write(chunk);
                done += chunk.byteSize();
                shown.advance(chunk.byteSize());
            }
        }
    }
}
