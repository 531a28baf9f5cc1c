package dev.guestcore.format.vbox;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.kernel.VmcoreInfoChoice;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The notes to write, ready as bytes (docs/formats/vbox-vmcore.md, section 4). */
final class NoteList {

    private static final int HEADER = 12;
    private static final int USUAL_PADDING = 4;

    private final List<byte[]> notes = new ArrayList<>();
    private long size;
    private boolean hasAnalystNotes;
    private Optional<VmcoreInfoChoice> vmcoreInfo = Optional.empty();

    /**
     * Lays out VirtualBox's notes, then those that the source had beside them, then those for analysts.
     *
     * @param payloads CPU states in order of the vCPUs
     */
    NoteList(
            VmCoreLayout layout,
            Descriptor descriptor,
            List<byte[]> payloads,
            VirtualBoxFacts facts,
            boolean analystNotes) {
        boolean founding = layout == VmCoreLayout.R32341;
        int padding = founding ? 4 : 8;
        ByteBuffer content = ByteBuffer.allocate(Notes.DESCRIPTOR_SIZE).order(ByteOrder.LITTLE_ENDIAN);
        descriptor.write(content);
        add(note(founding ? "VBOXCORE" : "VBCORE", founding, Notes.NT_VBOXCORE, content.array(), padding));
        for (byte[] payload : payloads) {
            add(note(founding ? "VBOXCPU" : "VBCPU", founding, Notes.NT_VBOXCPU, payload, padding));
        }
        for (VirtualBoxFacts.ExtraNote extra : facts.extraNotes()) {
            boolean forAnalysts = isAnalystNote(extra.bytes());
            if (!analystNotes || !forAnalysts) {
                add(padded(extra.bytes()));
                hasAnalystNotes |= forAnalysts;
            }
        }
    }

    /** Adds what tools find that know no VirtualBox note. Reads all memory, unless the source knows VMCOREINFO. */
    void addAnalystNotes(Guest guest) {
        hasAnalystNotes = true;
        int number = 0;
        for (Vcpu vcpu : guest.vcpus()) {
            number++;
            byte[] status = Architectures.X86.status(X86Architecture.X86_64)
                    .orElseThrow()
                    .write(number, vcpu.registers(), ByteOrder.LITTLE_ENDIAN);
            add(note("CORE", true, Elf.NT_PRSTATUS, status, USUAL_PADDING));
        }
        guest.facts(VmcoreInfoFacts.class)
                .map(VmcoreInfoFacts::vmcoreInfo)
                .or(() -> {
                    vmcoreInfo = VmcoreInfoChoice.search(guest, Progress.none());
                    return vmcoreInfo.map(found -> found.chosen().bytes());
                })
                .ifPresent(info -> add(note("VMCOREINFO", true, 0, info, USUAL_PADDING)));
    }

    /** What was found in memory for a note that the source does not have. */
    Optional<VmcoreInfoChoice> vmcoreInfo() {
        return vmcoreInfo;
    }

    private void add(byte[] note) {
        notes.add(note);
        size += note.length;
    }

    private static byte[] note(String name, boolean nameSizeWithNul, int type, byte[] content, int padding) {
        int nameRoom = roundUp(name.length() + 1, padding);
        int contentRoom = roundUp(content.length, padding);
        ByteBuffer note = ByteBuffer.allocate(HEADER + nameRoom + contentRoom).order(ByteOrder.LITTLE_ENDIAN);
        note.putInt(name.length() + (nameSizeWithNul ? 1 : 0)).putInt(contentRoom).putInt(type);
        note.put(name.getBytes(StandardCharsets.US_ASCII));
        note.position(HEADER + nameRoom).put(content);
        return note.array();
    }

    /** Others may end without padding where they are the last. */
    private static byte[] padded(byte[] note) {
        return Arrays.copyOf(note, roundUp(note.length, USUAL_PADDING));
    }

    private static int roundUp(int value, int multiple) {
        return (value + multiple - 1) / multiple * multiple;
    }

    private static boolean isAnalystNote(byte[] note) {
        String text = new String(note, 0, Math.min(note.length, 32), StandardCharsets.ISO_8859_1);
        return text.startsWith("CORE\0", HEADER) || text.startsWith("VMCOREINFO\0", HEADER);
    }

    /**
     * The header and name of the note with Guestcore's own record, which follows all others; its content comes
     * behind.
     */
    void addKeepHeader(long contentSize) {
        if (contentSize >>> Integer.SIZE != 0) {
            throw new UnsupportedRequestException("what is to be kept of this guest takes " + contentSize
                    + " bytes, and a note holds less than 2^32; write without keeping it");
        }
        byte[] header = note(Notes.KEEP_NAME, true, Notes.KEEP_TYPE, new byte[0], USUAL_PADDING);
        ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).putInt(Integer.BYTES, (int) contentSize);
        add(header);
        size += contentSize;
    }

    /** Whether there are notes for tools that know no VirtualBox note. */
    boolean hasAnalystNotes() {
        return hasAnalystNotes;
    }

    /** Size of all notes in bytes. */
    long size() {
        return size;
    }

    /** The notes as they stand in the file. */
    List<MemorySegment> segments() {
        return notes.stream().map(MemorySegment::ofArray).toList();
    }
}
