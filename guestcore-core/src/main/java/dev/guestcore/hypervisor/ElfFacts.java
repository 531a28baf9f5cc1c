package dev.guestcore.hypervisor;

import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What a dump with ELF notes says beside memory, registers and VMCOREINFO.
 *
 * @param machine e_machine of the dump (62: x86-64, 3: Intel 80386, 183: AArch64)
 * @param bigEndian whether the dump's notes are big-endian
 * @param kernelAddresses whether an ELF core gives memory virtual addresses of the upper half, where kernels live
 * @param notes notes that Guestcore does not interpret, in file order
 */
public record ElfFacts(int machine, boolean bigEndian, boolean kernelAddresses, List<Note> notes)
        implements HypervisorFacts {

    /** Copies the list. */
    public ElfFacts {
        notes = List.copyOf(notes);
    }

    /** Facts of a dump whose notes are in that byte order, and whose memory has physical addresses only. */
    public ElfFacts(int machine, ByteOrder order, List<Note> notes) {
        this(machine, order == ByteOrder.BIG_ENDIAN, false, notes);
    }

    /** Byte order of the dump's notes. */
    public ByteOrder order() {
        return bigEndian ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    }

    /**
     * A note that is passed through as it is.
     *
     * @param name owner of the note, without NUL
     * @param type n_type, unsigned 32 bit
     * @param descriptor its content, in the byte order of the dump; do not modify
     */
    public record Note(String name, long type, byte[] descriptor) {

        /** Checks for null. */
        public Note {
            Objects.requireNonNull(name);
            Objects.requireNonNull(descriptor);
        }
    }

    @Override
    public Map<String, String> describe() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("ELF machine", Integer.toString(machine));
        if (!notes.isEmpty()) {
            facts.put("other notes", Integer.toString(notes.size()));
        }
        return facts;
    }
}
