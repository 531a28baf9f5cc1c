package dev.guestcore.linux.export;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.Translation;
import dev.guestcore.file.CoreSink;
import dev.guestcore.linux.AddressMaps;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.MemoryArea;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.Tasks;
import dev.guestcore.linux.Walk;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * An ELF core of one process of a Linux guest, as the guest's kernel would write it ({@code fs/binfmt_elf.c}): the registers
 * of each thread, the auxiliary vector, the files that are mapped, and memory, for gdb with the program's own file. 64-bit
 * programs of x86-64. Its size is known before it is written, and it is written in one go. Not thread-safe.
 *
 * <p>Each piece of memory that is there is a segment. Of anonymous memory that was never used, which reads as zeros, the
 * segment has no bytes in the file. What is swapped out, and pages of files that the process has not mapped in, have no
 * segment, so that a debugger does not take them for zeros.
 */
public final class ProcessCore {

    private static final int HEADER = 64;
    private static final int PROGRAM_HEADER = 56;
    private static final int SECTION_HEADER = 64;
    private static final int PAGE = 4096;
    private static final int CHUNK = 1 << 20;

    private static final int CORE = 4;
    private static final int X86_64 = 62;
    private static final int LOAD = 1;
    private static final int NOTE = 4;

    /** A number of program headers as large stands in a section header (PN_XNUM). */
    private static final int MANY_HEADERS = 0xffff;

    /** More than kernels let a process have areas; each piece takes memory. */
    private static final int MOST_SEGMENTS = 1 << 17;

    /** Pages that are looked at: 256 GiB of small ones. */
    private static final long MOST_STEPS = 1L << 26;

    private final GuestMemory memory;
    private final AddressSpace space;
    private final Walk<MemoryArea> areas;
    private final byte[] notes;
    private final List<Segment> segments = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();
    private final int threads;
    private long stored;
    private long missing;
    private long missingOfFiles;
    private long steps;

    /** What is known of the bytes at some addresses. */
    private enum Kind {
        STORED,
        /** Zeros. */
        UNUSED,
        MISSING,
        /** A page that the kernel would put there, and has not: the process left nothing in it. */
        NOTHING
    }

    private record Segment(long start, long size, boolean stored, int rights) {}

    /**
     * What the file holds.
     *
     * @param size its bytes
     * @param threads how many threads have registers in it
     * @param memory bytes of memory in it
     * @param missing bytes of the process's areas that are not in memory and so not in it, those of files included
     * @param missingOfFiles of these, bytes of files, which a debugger takes from there
     * @param problems what else is not in it, one line each
     */
    public record Report(
            long size, int threads, long memory, long missing, long missingOfFiles, List<String> problems) {

        /** Copies the list. */
        public Report {
            problems = List.copyOf(problems);
        }
    }

    private ProcessCore(Tasks tasks, Task task, Progress progress) {
        this.space = task.requireAddressSpace();
        this.memory = space.memory();
        this.areas = AddressMaps.of(task.object());
        problems.addAll(areas.problems());
        ProcessNotes made = new ProcessNotes(tasks, task, areas.items(), problems);
        this.notes = made.bytes();
        this.threads = made.threads();
        progress.begin("looking at page tables", addresses(areas));
        long behind = 0;
        for (MemoryArea area : areas) {
            if (Long.compareUnsigned(area.start(), behind) < 0 || Long.compareUnsigned(area.start(), area.end()) >= 0) {
                problems.add("the area at 0x" + Long.toHexString(area.start())
                        + " overlaps another or ends before it begins; it is left out");
                continue;
            }
            try {
                add(area, progress);
            } catch (MemoryAccessException e) {
                problems.add("the area at 0x" + Long.toHexString(area.start()) + " is left out: " + e.getMessage());
            }
            behind = area.end();
        }
    }

    /** How many bytes of addresses there are; damaged areas may have any number. */
    private static long addresses(Walk<MemoryArea> areas) {
        long sum = 0;
        for (MemoryArea area : areas) {
            sum += Math.clamp(area.size(), 0, Long.MAX_VALUE - sum);
        }
        return sum;
    }

    /**
     * Plans the core of a process.
     *
     * @param tasks all tasks of the kernel
     * @param task one of its threads, which comes first in the core
     * @param progress may cancel
     * @throws LinuxException if it has no memory, is no 64-bit program, or has more pieces of memory than any process
     */
    public static ProcessCore of(Tasks tasks, Task task, Progress progress) {
        return new ProcessCore(tasks, Objects.requireNonNull(task), progress);
    }

    private void add(MemoryArea area, Progress progress) {
        int rights = (area.readable() ? 4 : 0) | (area.writable() ? 2 : 0) | (area.executable() ? 1 : 0);
        boolean ofFile = !area.object().get("vm_file").isNull();
        boolean anonymous = !ofFile && area.object().get("vm_ops").isNull();
        long at = area.start();
        int first = segments.size();
        while (at != area.end()) {
            if (++steps > MOST_STEPS) {
                throw new LinuxException("the page tables map more than any process has; they are damaged");
            }
            PageRun run = memory.runAt(at);
            long last =
                    Long.compareUnsigned(run.range().last(), area.end() - 1) < 0 ? run.range().last() : area.end() - 1;
            Kind kind = kind(at, run.state(), ofFile, anonymous);
            long size = last - at + 1;
            if (kind == Kind.MISSING) {
                missing += size;
                missingOfFiles += ofFile ? size : 0;
            } else if (kind != Kind.NOTHING) {
                append(new Segment(at, size, kind == Kind.STORED, rights), first);
            }
            at += size;
            progress.advance(size);
        }
    }

    private Kind kind(long address, PageState state, boolean ofFile, boolean anonymous) {
        if (state == PageState.PRESENT || state == PageState.ZERO) {
            return Kind.STORED;
        }
        Translation translation = space.translate(address);
        boolean untouched = translation.outcome() == Translation.Outcome.NOT_PRESENT
                && translation.steps().getLast().entry() == 0;
        if (!untouched || ofFile) {
            return Kind.MISSING;
        }
        return anonymous ? Kind.UNUSED : Kind.NOTHING;
    }

    /** Appends it, or prolongs the last one of the same area. */
    private void append(Segment next, int first) {
        stored += next.stored ? next.size : 0;
        if (segments.size() > first) {
            Segment last = segments.getLast();
            if (last.stored == next.stored && last.start + last.size == next.start) {
                segments.set(segments.size() - 1,
                        new Segment(last.start, last.size + next.size, last.stored, last.rights));
                return;
            }
        }
        if (segments.size() == MOST_SEGMENTS) {
            throw new LinuxException("its memory is in more than " + MOST_SEGMENTS + " pieces");
        }
        segments.add(next);
    }

    /** What the file is going to hold. */
    public Report report() {
        return new Report(memoryOffset() + stored, threads, stored, missing, missingOfFiles, problems);
    }

    private int headers() {
        return 1 + segments.size();
    }

    private boolean hasMany() {
        return headers() >= MANY_HEADERS;
    }

    private long notesOffset() {
        return HEADER + (long) headers() * PROGRAM_HEADER + (hasMany() ? SECTION_HEADER : 0);
    }

    private long memoryOffset() {
        return notesOffset() + notes.length + PAGE - 1 & -PAGE;
    }

    /**
     * Writes the file.
     *
     * @param progress may cancel
     * @return bytes that the source has, but could not read, and that are zero in the file
     */
    public long write(CoreSink sink, Progress progress) {
        Bytes head = new Bytes();
        header(head);
        programHeaders(head, sink);
        if (hasMany()) {
            head.bytes(new byte[44]).u32(headers()).bytes(new byte[16]);
        }
        head.drain(sink);
        sink.write(MemorySegment.ofArray(notes));
        sink.writeZeros(-(notesOffset() + notes.length) & PAGE - 1);
        progress.begin("writing memory", stored);
        long unreadable = 0;
        MemorySegment buffer = MemorySegment.ofArray(new byte[CHUNK]);
        for (Segment segment : segments) {
            for (long done = 0; segment.stored && done < segment.size;) {
                MemorySegment chunk = buffer.asSlice(0, Math.min(CHUNK, segment.size - done));
                unreadable += copy(segment.start + done, chunk);
                sink.write(chunk);
                done += chunk.byteSize();
                progress.advance(chunk.byteSize());
            }
        }
        return unreadable;
    }

    private long copy(long address, MemorySegment chunk) {
        long unreadable = 0;
        for (long done = 0; done < chunk.byteSize();) {
            done += memory.readAvailable(address + done, chunk.asSlice(done));
            if (done < chunk.byteSize()) {
                long page = Math.min(chunk.byteSize() - done, PAGE - (address + done & PAGE - 1));
                chunk.asSlice(done, page).fill((byte) 0);
                done += page;
                unreadable += page;
            }
        }
        return unreadable;
    }

    private void header(Bytes head) {
        head.bytes(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
                .u16(CORE)
                .u16(X86_64)
                .u32(1)
                .u64(0)
                .u64(HEADER)
                .u64(hasMany() ? notesOffset() - SECTION_HEADER : 0)
                .u32(0)
                .u16(HEADER)
                .u16(PROGRAM_HEADER)
                .u16(Math.min(headers(), MANY_HEADERS))
                .u16(hasMany() ? SECTION_HEADER : 0)
                .u16(hasMany() ? 1 : 0)
                .u16(0);
    }

    private void programHeaders(Bytes head, CoreSink sink) {
        programHeader(head, NOTE, 0, notesOffset(), 0, notes.length, notes.length, 4);
        long offset = memoryOffset();
        for (Segment segment : segments) {
            long inFile = segment.stored ? segment.size : 0;
            programHeader(head, LOAD, segment.rights, offset, segment.start, inFile, segment.size, PAGE);
            offset += inFile;
            head.drainIfFull(sink);
        }
    }

    private static void programHeader(
            Bytes head, int type, int rights, long offset, long address, long inFile, long inMemory, int alignment) {
        head.u32(type)
                .u32(rights)
                .u64(offset)
                .u64(address)
                .u64(0)
                .u64(inFile)
                .u64(type == NOTE ? 0 : inMemory)
                .u64(alignment);
    }
}
