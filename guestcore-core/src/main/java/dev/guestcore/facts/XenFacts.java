package dev.guestcore.facts;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a Xen dump-core says besides memory and registers.
 *
 * @param paravirtualized whether the guest is PV: its page tables hold machine frames
 * @param guestWidth bytes of a word of the guest, 4 or 8; 4 for a 32-bit PV guest
 * @param version what the hypervisor said about itself
 * @param sharedInfo the shared_info page, if the dump has one; do not modify
 * @param frames which frame each stored page is, in file order, if the source tells
 * @param fileParts the small parts of the file, if it was a whole file; empty where a writer may choose the layout
 */
public record XenFacts(
        boolean paravirtualized,
        int guestWidth,
        Version version,
        Optional<byte[]> sharedInfo,
        Optional<FrameTable> frames,
        Optional<FileParts> fileParts)
        implements DumpFacts {

    /** Checks for null and the width. */
    public XenFacts {
        if (guestWidth != 4 && guestWidth != 8) {
            throw new IllegalArgumentException("guest width must be 4 or 8 bytes, found " + guestWidth);
        }
        Objects.requireNonNull(version);
        Objects.requireNonNull(sharedInfo);
        Objects.requireNonNull(frames);
        Objects.requireNonNull(fileParts);
    }

    /** Facts that do not come from a whole file, so that a writer chooses the layout. */
    public XenFacts(
            boolean paravirtualized,
            int guestWidth,
            Version version,
            Optional<byte[]> sharedInfo,
            Optional<FrameTable> frames) {
        this(paravirtualized, guestWidth, version, sharedInfo, frames, Optional.empty());
    }

    /** Begins the facts of a guest that is described by hand; a writer chooses the rest. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The strings of the XEN_VERSION note.
     *
     * <p>Immutable; two are equal if all that they say is.
     */
    public static final class Version {

        private final long major;
        private final long minor;
        private final String extra;
        private final String compiler;
        private final String compiledBy;
        private final String compileDomain;
        private final String compileDate;
        private final String capabilities;
        private final String changeset;
        private final long virtualStart;
        private final long pageSize;

        private Version(Builder builder) {
            this.major = builder.major;
            this.minor = builder.minor;
            this.extra = builder.extra;
            this.compiler = builder.compiler;
            this.compiledBy = builder.compiledBy;
            this.compileDomain = builder.compileDomain;
            this.compileDate = builder.compileDate;
            this.capabilities = builder.capabilities;
            this.changeset = builder.changeset;
            this.virtualStart = builder.virtualStart;
            this.pageSize = builder.pageSize;
            requireShort("extra version", extra, 16);
            requireShort("compiler", compiler, 64);
            requireShort("compiled by", compiledBy, 16);
            requireShort("compile domain", compileDomain, 32);
            requireShort("compile date", compileDate, 32);
            requireShort("capabilities", capabilities, 1024);
            requireShort("changeset", changeset, 64);
        }

        /** Major version. */
        public long major() {
            return major;
        }

        /** Minor version. */
        public long minor() {
            return minor;
        }

        /** Rest of the version (".7"), at most 16 characters. */
        public String extra() {
            return extra;
        }

        /** Compiler of the hypervisor, at most 64 characters. */
        public String compiler() {
            return compiler;
        }

        /** User who compiled it, at most 16 characters. */
        public String compiledBy() {
            return compiledBy;
        }

        /** Host on which it was compiled, at most 32 characters. */
        public String compileDomain() {
            return compileDomain;
        }

        /** When it was compiled, at most 32 characters. */
        public String compileDate() {
            return compileDate;
        }

        /** Guests that it can run, separated by blanks, at most 1024 characters. */
        public String capabilities() {
            return capabilities;
        }

        /** Its change set, at most 64 characters. */
        public String changeset() {
            return changeset;
        }

        /** Start of the hypervisor's virtual memory, as the dumping domain saw it. */
        public long virtualStart() {
            return virtualStart;
        }

        /** Page size in bytes. */
        public long pageSize() {
            return pageSize;
        }

        private static void requireShort(String field, String text, int most) {
            if (text.length() > most || text.chars().anyMatch(c -> c == 0 || c > 0xff)) {
                throw new IllegalArgumentException(
                        field + " must have at most " + most + " Latin characters, found '" + text + "'");
            }
        }

        /** What readers look for to learn the word size: the guests that a 64-bit Xen can run. */
        public static final String USUAL_CAPABILITIES =
                "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";

        /** The extra version of what Guestcore wrote and no Xen ever ran. */
        public static final String GUESTCORE = "-guestcore";

        /** Begins a version of which nothing else is known: empty strings, and 0 for the numbers. */
        public static Builder builder(long major, long minor) {
            return new Builder(major, minor);
        }

        /** Puts a version together. Not thread-safe. */
        public static final class Builder {

            private final long major;
            private final long minor;
            private String extra = "";
            private String compiler = "";
            private String compiledBy = "";
            private String compileDomain = "";
            private String compileDate = "";
            private String capabilities = "";
            private String changeset = "";
            private long virtualStart;
            private long pageSize;

            private Builder(long major, long minor) {
                this.major = major;
                this.minor = minor;
            }

            /** Rest of the version (".7"), at most 16 characters. */
            public Builder extra(String value) {
                extra = value;
                return this;
            }

            /** Compiler of the hypervisor, at most 64 characters. */
            public Builder compiler(String value) {
                compiler = value;
                return this;
            }

            /** User who compiled it, at most 16 characters. */
            public Builder compiledBy(String value) {
                compiledBy = value;
                return this;
            }

            /** Host on which it was compiled, at most 32 characters. */
            public Builder compileDomain(String value) {
                compileDomain = value;
                return this;
            }

            /** When it was compiled, at most 32 characters. */
            public Builder compileDate(String value) {
                compileDate = value;
                return this;
            }

            /** Guests that it can run, separated by blanks, at most 1024 characters. */
            public Builder capabilities(String value) {
                capabilities = value;
                return this;
            }

            /** Its change set, at most 64 characters. */
            public Builder changeset(String value) {
                changeset = value;
                return this;
            }

            /** Start of the hypervisor's virtual memory, as the dumping domain saw it. */
            public Builder virtualStart(long value) {
                virtualStart = value;
                return this;
            }

            /** Page size in bytes. */
            public Builder pageSize(long value) {
                pageSize = value;
                return this;
            }

            /**
             * The version.
             *
             * @throws IllegalArgumentException if a string does not fit into its field
             */
            public Version build() {
                return new Version(this);
            }
        }

        /** A version of which nothing else is known: usual capabilities, 4 KiB pages. */
        public static Version of(long major, long minor, String extra) {
            return builder(major, minor).extra(extra).capabilities(USUAL_CAPABILITIES).pageSize(4096).build();
        }

        /** The version that a guest of another source gets: the layout of Xen 4.20, and an honest name. */
        public static Version ours() {
            return of(4, 20, GUESTCORE);
        }

        /** The version for people: "4.17.7". */
        public String text() {
            return Long.toUnsignedString(major) + "." + Long.toUnsignedString(minor) + extra;
        }

        @Override
        public String toString() {
            return "Version[" + text() + ", compiler=" + compiler + ", compiledBy=" + compiledBy + ", compileDomain="
                    + compileDomain + ", compileDate=" + compileDate + ", capabilities=" + capabilities + ", changeset="
                    + changeset + ", virtualStart=0x" + Long.toHexString(virtualStart) + ", pageSize=0x"
                    + Long.toHexString(pageSize) + "]";
        }

        private List<Object> parts() {
            return List.of(
                    major,
                    minor,
                    extra,
                    compiler,
                    compiledBy,
                    compileDomain,
                    compileDate,
                    capabilities,
                    changeset,
                    virtualStart,
                    pageSize);
        }

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Version that && parts().equals(that.parts());
        }

        @Override
        public int hashCode() {
            return parts().hashCode();
        }
    }

    /**
     * The small parts of a dump-core as they stood in the file, for an identical way back. Memory, contexts, frame
     * table and shared_info are not among them. The arrays are not to be modified.
     *
     * @param elfHeader the ELF header, which also tells class, byte order and machine
     * @param sectionHeaders the section headers, e_shentsize bytes each
     * @param names the string table of section names
     * @param notes the section .note.Xen
     * @param mappedRegisters the section .xen_ia64_mapped_regs, empty if there is none
     * @param pageSize bytes of a page of the dump
     */
    public record FileParts(
            byte[] elfHeader,
            byte[] sectionHeaders,
            byte[] names,
            byte[] notes,
            byte[] mappedRegisters,
            long pageSize) {

        /** Checks for null. */
        public FileParts {
            Objects.requireNonNull(elfHeader);
            Objects.requireNonNull(sectionHeaders);
            Objects.requireNonNull(names);
            Objects.requireNonNull(notes);
            Objects.requireNonNull(mappedRegisters);
        }

        @Override
        public String toString() {
            return "FileParts[elfHeader=" + bytes(elfHeader) + ", sectionHeaders=" + bytes(sectionHeaders) + ", names="
                    + bytes(names) + ", notes=" + bytes(notes) + ", mappedRegisters=" + bytes(mappedRegisters)
                    + ", pageSize=0x" + Long.toHexString(pageSize) + "]";
        }
    }

    @Override
    public Map<String, String> describe() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("Xen version", version.text());
        facts.put("guest type", paravirtualized ? "PV, " + guestWidth * Byte.SIZE + " bit" : "HVM, PVH or other");
        facts.put("capabilities", version.capabilities().strip());
        facts.put("compiled", (version.compiler() + " " + version.compileDate()).strip());
        facts.put("shared info", sharedInfo.isPresent() ? "present" : "absent");
        frames.ifPresent(table -> facts.put(
                "frame table",
                table.size() + " entries, " + (table.hasMachineFrames() ? "with machine frames" : "page frames only")));
        return facts;
    }

    @Override
    public String toString() {
        return "XenFacts[paravirtualized=" + paravirtualized + ", guestWidth=" + guestWidth + ", version=" + version
                + ", sharedInfo=" + sharedInfo.map(XenFacts::bytes).orElse("none") + ", frames="
                + frames.map(table -> table.size() + " entries").orElse("none") + ", fileParts="
                + fileParts.map(FileParts::toString).orElse("none") + "]";
    }

    private static String bytes(byte[] bytes) {
        return bytes.length + " bytes";
    }

    /** Collects facts. Not thread-safe. */
    public static final class Builder {

        private boolean paravirtualized;
        private int guestWidth = 8;
        private Version version = Version.ours();
        private Optional<byte[]> sharedInfo = Optional.empty();
        private Optional<FrameTable> frames = Optional.empty();

        private Builder() {}

        /** Sets what the hypervisor says about itself. */
        public Builder version(Version hypervisor) {
            version = Objects.requireNonNull(hypervisor);
            return this;
        }

        /** Sets the shared_info page; it may be shorter than a page. */
        public Builder sharedInfo(byte[] page) {
            sharedInfo = Optional.of(page.clone());
            return this;
        }

        /**
         * Makes it a PV guest.
         *
         * @param width bytes of a word of the guest, 4 or 8
         * @param machineFrames the frames of its pages, with machine frames
         */
        public Builder paravirtualized(int width, FrameTable machineFrames) {
            if (!machineFrames.hasMachineFrames()) {
                throw new IllegalArgumentException("a PV guest needs machine frames");
            }
            paravirtualized = true;
            guestWidth = width;
            frames = Optional.of(machineFrames);
            return this;
        }

        /** The facts. */
        public XenFacts build() {
            return new XenFacts(paravirtualized, guestWidth, version, sharedInfo, frames);
        }
    }
}
