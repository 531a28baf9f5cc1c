package dev.guestcore.format.vbox;

import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.ElfNote;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The core descriptor (docs/formats/vbox-vmcore.md, section 4.1): six u32, little-endian.
 *
 * @param magic 0xc01ac0de
 * @param formatVersion 0x00010000 to 0x00010006
 * @param size 24
 * @param version VirtualBox version
 * @param revision Subversion revision
 * @param cpuCount number of vCPUs
 */
record Descriptor(long magic, long formatVersion, long size, int version, int revision, long cpuCount) {

    /** Versions before this wrote the minor version where the build belongs. */
    private static final int VERSION_4_2 = 0x04020000;

    /** Reads the descriptor out of its note. */
    static Descriptor read(FileBytes file, ElfNote note) {
        long at = note.descriptorOffset();
        if (note.descriptorSize() < Notes.DESCRIPTOR_SIZE) {
            throw file.malformed(
                    note.offset() + 4,
                    "size of note " + note.name(),
                    Integer.toString(Notes.DESCRIPTOR_SIZE),
                    Long.toString(note.descriptorSize()),
                    "the core descriptor is cut short, so neither its version nor its number of vCPUs is known");
        }
        ByteOrder order = ByteOrder.LITTLE_ENDIAN;
        return new Descriptor(
                file.u32(at, order, "u32Magic"),
                file.u32(at + 4, order, "u32FmtVersion"),
                file.u32(at + 8, order, "cbSelf"),
                (int) file.u32(at + 12, order, "u32VBoxVersion"),
                (int) file.u32(at + 16, order, "u32VBoxRevision"),
                file.u32(at + 20, order, "cCpus"));
    }

    /** Appends the descriptor; the buffer is little-endian. */
    void write(ByteBuffer target) {
        target.putInt((int) magic).putInt((int) formatVersion).putInt((int) size);
        target.putInt(version).putInt(revision).putInt((int) cpuCount);
    }

    /** Whether the build number may be the minor version again, as in 3.2.51, 4.0.0 to 4.0.14 and 4.1.0 to 4.1.6. */
    boolean buildIsDoubtful() {
        return Integer.compareUnsigned(version, VERSION_4_2) < 0 && (version & 0xffff) == (version >>> 16 & 0xff);
    }

    /** The version for people: "7.2.22 r175245", or "4.0 r69151" where the file does not tell the build. */
    String versionText() {
        String text = (version >>> 24) + "." + (version >>> 16 & 0xff);
        if (!buildIsDoubtful()) {
            text += "." + (version & 0xffff);
        }
        return text + " r" + Integer.toUnsignedString(revision & ~VirtualBoxFacts.FOREIGN);
    }
}
