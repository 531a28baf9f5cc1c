package dev.guestcore.facts;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What a VMCore says besides memory and registers.
 *
 * @param version VirtualBox version as the core descriptor holds it: major &lt;&lt; 24 | minor &lt;&lt; 16 | build
 * @param revision Subversion revision of VirtualBox, unsigned
 * @param layout the layout of the VMCore it was read from ("7.0"), or empty where the writer may choose
 * @param elfMachine e_machine: 62 for a 64-bit build of VirtualBox, 3 for a 32-bit build
 * @param extraNotes notes that are not VirtualBox's own, kept as bytes in file order
 */
public record VirtualBoxFacts(int version, int revision, String layout, int elfMachine, List<ExtraNote> extraNotes)
        implements DumpFacts {

    /**
     * This bit of the revision marks a VMCore of a guest that VirtualBox never ran: the format must name a version, and
     * revisions are far from so high.
     */
    public static final int FOREIGN = 1 << 30;

    /** Copies the list. */
    public VirtualBoxFacts {
        Objects.requireNonNull(layout);
        extraNotes = List.copyOf(extraNotes);
    }

    /**
     * A note that is passed through as it is.
     *
     * @param bytes the whole note with header and padding; do not modify
     */
    public record ExtraNote(byte[] bytes) {

        @Override
        public String toString() {
            return "ExtraNote[" + bytes.length + " bytes]";
        }
    }

    /** Whether VirtualBox had no part in it: a guest of another hypervisor that Guestcore wrote as a VMCore. */
    public boolean isForeign() {
        return (revision & FOREIGN) != 0;
    }

    /** The version for people: "7.2.22 r175245". */
    public String versionText() {
        return (version >>> 24) + "." + (version >>> 16 & 0xff) + "." + (version & 0xffff) + " r"
                + Integer.toUnsignedString(revision & ~FOREIGN) + (isForeign() ? ", as named by Guestcore" : "");
    }

    @Override
    public Map<String, String> describe() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("VirtualBox version", versionText());
        if (!extraNotes.isEmpty()) {
            facts.put("other notes", Integer.toString(extraNotes.size()));
        }
        return facts;
    }

    @Override
    public String toString() {
        return "VirtualBoxFacts[version=0x" + Integer.toHexString(version) + ", revision=0x"
                + Integer.toHexString(revision) + ", layout=" + layout + ", elfMachine=0x"
                + Integer.toHexString(elfMachine) + ", extraNotes=" + extraNotes + "]";
    }
}
