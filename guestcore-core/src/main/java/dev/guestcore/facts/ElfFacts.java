package dev.guestcore.facts;

import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.ElfMachine;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What a dump with ELF notes says besides memory, registers and VMCOREINFO.
 *
 * @param machine e_machine of the dump (62: x86-64, 3: Intel 80386, 183: AArch64), or 0 if unknown
 * @param flags e_flags of the dump, whose meaning is the machine's; 0 if none
 * @param addressBits 32 or 64: the class of an ELF core, the word size of a kdump's kernel
 * @param bigEndian whether the dump's notes are big-endian
 * @param kernelAddresses whether an ELF core gives memory virtual addresses of the upper half, where kernels live
 * @param notes notes that Guestcore does not interpret, in file order
 */
public record ElfFacts(
        int machine, long flags, int addressBits, boolean bigEndian, boolean kernelAddresses, List<Note> notes)
        implements DumpFacts {

    private static final long LONGEST_IN_MEMORY = 64 << 20;

    /** Copies the list. */
    public ElfFacts {
        if (addressBits != 32 && addressBits != 64) {
            throw new IllegalArgumentException("addresses have 32 or 64 bits, not " + addressBits);
        }
        notes = List.copyOf(notes);
    }

    /** Facts of a 64-bit dump whose notes are in that byte order, and whose memory has physical addresses only. */
    public ElfFacts(int machine, ByteOrder order, List<Note> notes) {
        this(machine, 0, 64, order == ByteOrder.BIG_ENDIAN, false, notes);
    }

    /** What people call the machine ("x86-64", "RISC-V"); empty for one that is not known. */
    public Optional<String> machineName() {
        return Architectures.machine(machine).map(ElfMachine::title);
    }

    /** Byte order of the dump's notes. */
    public ByteOrder order() {
        return bigEndian ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    }

    /**
     * What a note says. It may be too long for memory, and then is read from the dump, which must be open.
     */
    public interface Content {

        /** Size in bytes, less than 2^32. */
        long size();

        /**
         * Reads from {@code offset} on, as many bytes as {@code target} has.
         *
         * @throws dev.guestcore.error.SourceException if the dump has become shorter meanwhile
         */
        void read(long offset, MemorySegment target);

        /** Content in memory; do not modify the array. */
        static Content of(byte[] bytes) {
            return new Content() {
                @Override
                public long size() {
                    return bytes.length;
                }

                @Override
                public void read(long offset, MemorySegment target) {
                    MemorySegment.copy(MemorySegment.ofArray(bytes), offset, target, 0, target.byteSize());
                }
            };
        }
    }

    /**
     * A note that is passed through as it is.
     *
     * @param name owner of the note, without NUL
     * @param type n_type, unsigned 32 bit
     * @param content its descriptor, in the byte order of the dump
     * @param vcpu index of the vCPU to which it belongs because it stands behind that one's NT_PRSTATUS; or {@link #FIRST},
     *     {@link #LAST}
     */
    public record Note(String name, long type, Content content, int vcpu) {

        /** Instead of a vCPU: the note stands before those of all vCPUs. */
        public static final int FIRST = -1;

        /** Instead of a vCPU: the note stands behind those of all vCPUs. */
        public static final int LAST = Integer.MAX_VALUE;

        /** Checks for null. */
        public Note {
            Objects.requireNonNull(name);
            Objects.requireNonNull(content);
        }

        /** A short note that belongs to no vCPU; do not modify the array. */
        public Note(String name, long type, byte[] descriptor) {
            this(name, type, Content.of(descriptor), LAST);
        }

        @Override
        public String toString() {
            return "Note[name=" + name + ", type=0x" + Long.toHexString(type) + ", content="
                    + content.size() + " bytes" + (vcpu >= 0 && vcpu != LAST ? ", vcpu=" + vcpu : "") + "]";
        }

        /**
         * The whole content.
         *
         * @throws IllegalStateException if it is longer than 64 MiB
         */
        public byte[] descriptor() {
            if (content.size() > LONGEST_IN_MEMORY) {
                throw new IllegalStateException("a note of " + content.size() + " bytes is not read into memory whole");
            }
            byte[] bytes = new byte[(int) content.size()];
            content.read(0, MemorySegment.ofArray(bytes));
            return bytes;
        }
    }

    @Override
    public Map<String, String> describe() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("ELF machine", machine + machineName().map(name -> " (" + name + ")").orElse(""));
        if (!notes.isEmpty()) {
            facts.put("other notes", Integer.toString(notes.size()));
        }
        return facts;
    }

    @Override
    public String toString() {
        return "ElfFacts[machine=0x" + Integer.toHexString(machine) + ", flags=0x" + Long.toHexString(flags)
                + ", addressBits=" + addressBits + ", bigEndian=" + bigEndian + ", kernelAddresses=" + kernelAddresses
                + ", notes=" + notes + "]";
    }
}
