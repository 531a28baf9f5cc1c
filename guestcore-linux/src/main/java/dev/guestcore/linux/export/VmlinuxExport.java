package dev.guestcore.linux.export;

import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.GuestMemory;
import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.file.CoreSink;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.export.ExportSection.Kind;
import dev.guestcore.linux.stacks.OrcTable;
import dev.guestcore.linux.stacks.StackUnwinder;
import dev.guestcore.linux.types.Btf;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Writes a {@code vmlinux} made from a guest's memory: an ELF file of the addresses that the kernel was linked for,
 * with its code and data, symbols, types (DWARF 4, from BTF) and unwinding rules ({@code .debug_frame}, from ORC).
 * crash, gdb and drgn take it in place of the file with debug information. Its data are those of the running kernel.
 * Not thread-safe.
 */
public final class VmlinuxExport {

    private static final int HEADER = 64;
    private static final int PROGRAM_HEADER = 56;
    private static final int SECTION_HEADER = 64;
    private static final int PAGE = X86Architecture.PAGE_SIZE;
    private static final int CHUNK = 1 << 16;

    private static final int EXECUTABLE = 2;
    private static final int X86_64 = 62;
    private static final int LOAD = 1;
    private static final int PROGBITS = 1;
    private static final int SYMTAB = 2;
    private static final int STRTAB = 3;
    private static final int NOTE = 7;
    private static final int NOBITS = 8;
    private static final int STRINGS = 0x30;

    /** Physical address 0 in the kernel's part of the address space, for which x86-64 kernels are linked. */
    private static final long LINKED_ZERO = 0xffffffff80000000L;

    /**
     * What the file holds.
     *
     * @param bytes its size
     * @param symbols how many symbols
     * @param types whether it has the kernel's types
     * @param frames whether it has unwinding rules
     * @param missing bytes of the kernel's code and data that are not in the dump and zero in the file
     */
    public record Report(long bytes, int symbols, boolean types, boolean frames, long missing) {}

    private record Written(String name, int type, long flags, long address, long offset, long size, int link, int info,
            int alignment, int entrySize) {}

    private final Linux linux;
    private final ImageLayout layout;
    private final SymbolTable symbols;
    private final Optional<Btf> types;
    private final Optional<OrcTable> frames;
    private final List<Written> written = new ArrayList<>();
    private long missing;

    private VmlinuxExport(Linux linux) {
        this.linux = linux;
        layout = ImageLayout.of(linux.symbols(), linux.image().slide());
        symbols = new SymbolTable(linux.symbols(), layout);
        types = linux.types().filter(Btf.class::isInstance).map(Btf.class::cast);
        frames = StackUnwinder.of(linux.memory(), linux.symbols(), linux.types()).kernelTable();
    }

    /**
     * Writes the file.
     *
     * @param sink where to; must be able to {@linkplain CoreSink#patch go back}
     * @throws LinuxException if it is not of x86-64, or its symbols do not tell where it begins and ends
     * @throws IllegalArgumentException if the sink goes forward only
     */
    public static Report write(Linux linux, CoreSink sink) {
        if (!(linux.image().space().paging().mode() instanceof X86PagingMode)) {
            throw new LinuxException("a vmlinux is made of kernels of x86-64 only");
        }
        if (!sink.canPatch()) {
            throw new IllegalArgumentException("the output must be a file");
        }
        return new VmlinuxExport(Objects.requireNonNull(linux)).write(sink);
    }

    private Report write(CoreSink sink) {
        long start = sink.position();
        int heads = HEADER + layout.sections().size() * PROGRAM_HEADER;
        sink.writeZeros(heads);
        layout.sections().forEach(section -> writeImage(section, sink));
        writeTables(sink);
        types.ifPresent(known -> writeDebugInfo(known, sink));
        frames.ifPresent(table -> writeSection(".debug_frame", PROGBITS, 0, Long.BYTES, sink,
                () -> new FrameTable(linux.symbols(), layout, table).write(sink)));
        long sections = writeSectionHeaders(sink);
        sink.patch(start, MemorySegment.ofArray(heads(sections - start)));
        return new Report(sink.position() - start, symbols.count(), types.isPresent(), frames.isPresent(), missing);
    }

    private void writeImage(ExportSection section, CoreSink sink) {
        align(sink, PAGE);
        long offset = sink.position();
        if (section.kind() == Kind.FREED) {
            sink.writeZeros(section.size());
        } else if (section.hasBytes()) {
            copy(layout.running(section.address()), section.size(), sink);
        }
        int type = switch (section.kind()) {
            case NOTES -> NOTE;
            case UNINITIALIZED -> NOBITS;
            case COPIED, FREED -> PROGBITS;
        };
        int alignment = section.kind() == Kind.NOTES ? Integer.BYTES : 1;
        written.add(new Written(
                section.name(), type, section.flags(), section.address(), offset, section.size(), 0, 0, alignment, 0));
    }

    private void copy(long address, long size, CoreSink sink) {
        GuestMemory memory = linux.memory();
        MemorySegment buffer = MemorySegment.ofArray(new byte[CHUNK]);
        long done = 0;
        while (done < size) {
            long wanted = Math.min(CHUNK, size - done);
            long got = memory.readAvailable(address + done, buffer.asSlice(0, wanted));
            sink.write(buffer.asSlice(0, got));
            done += got;
            if (got < wanted) {
                long gap = Math.min(size - done, PAGE - (address + done & PAGE - 1));
                sink.writeZeros(gap);
                missing += gap;
                done += gap;
            }
        }
    }

    private void writeTables(CoreSink sink) {
        align(sink, Long.BYTES);
        long offset = sink.position();
        symbols.writeSymbols(sink);
        // The names stand in the section that follows.
        written.add(new Written(
                ".symtab",
                SYMTAB,
                0,
                0,
                offset,
                sink.position() - offset,
                written.size() + 2,
                symbols.locals(),
                Long.BYTES,
                SymbolTable.ENTRY));
        writeSection(".strtab", STRTAB, 0, 1, sink, () -> symbols.writeNames(sink));
    }

    private void writeDebugInfo(Btf known, CoreSink sink) {
        DebugInfo info = new DebugInfo(known, linux.symbols(), symbols, layout, Clock.hertz(linux));
        writeSection(".debug_abbrev", PROGBITS, 0, 1, sink, () -> DebugInfo.writeAbbreviations(sink));
        writeSection(".debug_info", PROGBITS, 0, 1, sink, () -> info.writeInfo(sink));
        writeSection(".debug_str", PROGBITS, STRINGS, 1, sink, () -> info.writeStrings(sink));
    }

    private void writeSection(String name, int type, long flags, int alignment, CoreSink sink, Runnable content) {
        align(sink, alignment);
        long offset = sink.position();
        content.run();
        int entrySize = flags == STRINGS ? 1 : 0;
        written.add(new Written(
                name, type, flags, 0, offset, sink.position() - offset, 0, 0, alignment, entrySize));
    }

    private static void align(CoreSink sink, int alignment) {
        sink.writeZeros(-sink.position() & alignment - 1);
    }

    private long writeSectionHeaders(CoreSink sink) {
        Bytes names = new Bytes();
        names.u8(0);
        Bytes headers = new Bytes();
        headers.bytes(new byte[SECTION_HEADER]);
        for (Written section : written) {
            header(headers, names.size(), section);
            names.text(section.name());
        }
        int nameOfNames = names.size();
        names.text(".shstrtab");
        long offset = sink.position();
        header(headers, nameOfNames, new Written(".shstrtab", STRTAB, 0, 0, offset, names.size(), 0, 0, 1, 0));
        names.drain(sink);
        align(sink, Long.BYTES);
        long start = sink.position();
        headers.drain(sink);
        return start;
    }

    private static void header(Bytes headers, int name, Written section) {
        headers.u32(name)
                .u32(section.type())
                .u64(section.flags())
                .u64(section.address())
                .u64(section.offset())
                .u64(section.size())
                .u32(section.link())
                .u32(section.info())
                .u64(section.alignment())
                .u64(section.entrySize());
    }

    private byte[] heads(long sectionHeaders) {
        int count = layout.sections().size();
        Bytes bytes = new Bytes();
        bytes.bytes(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
                .u16(EXECUTABLE)
                .u16(X86_64)
                .u32(1)
                .u64(layout.start() - LINKED_ZERO)
                .u64(HEADER)
                .u64(sectionHeaders)
                .u32(0)
                .u16(HEADER)
                .u16(PROGRAM_HEADER)
                .u16(count)
                .u16(SECTION_HEADER)
                .u16(written.size() + 2)
                .u16(written.size() + 1);
        for (int i = 0; i < count; i++) {
            programHeader(bytes, layout.sections().get(i), written.get(i).offset());
        }
        return bytes.toArray();
    }

    private static void programHeader(Bytes bytes, ExportSection section, long offset) {
        boolean writable = (section.flags() & ExportSection.WRITE) != 0;
        boolean executable = (section.flags() & ExportSection.EXECUTE) != 0;
        int rights = 4 | (writable ? 2 : 0) | (executable ? 1 : 0);
        long physical = section.address() < 0 ? section.address() - LINKED_ZERO : section.address();
        bytes.u32(LOAD)
                .u32(rights)
                .u64(offset)
                .u64(section.address())
                .u64(physical)
                .u64(section.hasBytes() ? section.size() : 0)
                .u64(section.size())
                .u64(1);
    }
}
