package dev.guestcore.format.vmstate;

import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.Compression;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.migration.OtherWays;
import dev.guestcore.internal.migration.PcMemoryMap;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where the stream is in a file, and what libvirt's header before it says. The header is in the byte order of the host that
 * wrote it; source: docs/formats/vmstate.md.
 *
 * <pre>
 *  0 "LibvirtQemudSave", or "LibvirtQemudPart" while it is written      16 version u32
 * 20 size of what follows the header, before the stream u32              24 whether the guest ran u32
 * 28 compression u32 (0 none, 1 gzip, 2 bzip2, 3 xz, 4 lzop, 5 zstd)     32 offset of the cookie u32   36 zeros
 * 92 XML of the domain, zero-terminated; cookie
 * </pre>
 *
 * @param libvirt whether there is such a header
 * @param complete whether libvirt finished the image
 * @param streamAt offset of the stream
 * @param compression how the stream is compressed
 * @param domain name of the domain
 * @param dimms DIMMs of the domain, with their addresses
 */
record SaveImage(
        boolean libvirt,
        boolean complete,
        long streamAt,
        Compression compression,
        Optional<String> domain,
        List<PcMemoryMap.Dimm> dimms) {

    private static final String MAGIC = "LibvirtQemudSave";
    private static final String MAGIC_UNFINISHED = "LibvirtQemudPart";
    private static final int HEADER = 92;
    private static final int LATEST_VERSION = 2;
    /** By libvirt's numbers. */
    private static final List<Compression> COMPRESSIONS = List.of(
            Compression.NONE, Compression.GZIP, Compression.BZIP2, Compression.XZ, Compression.LZOP, Compression.ZSTD);

    private static final int SPARSE = 6;

    private static final int MOST_XML = 1 << 20;
    private static final int MOST_DIMMS = 256;
    private static final Pattern NAME = Pattern.compile("<name>([^<]{1,256})</name>");
    private static final Pattern MEMORY_DEVICE =
            Pattern.compile("<memory model=['\"](?:dimm|nvdimm)['\"].*?</memory>", Pattern.DOTALL);
    private static final Pattern ALIAS = Pattern.compile("<alias name=['\"]([^'\"]{1,256})['\"]");
    private static final Pattern BASE =
            Pattern.compile("<address type=['\"]dimm['\"][^>]*base=['\"]0x([0-9a-f]{1,16})['\"]");

    /** Whether a file begins like a save image. */
    static boolean isLibvirt(FileBytes file) {
        return file.holds(0, HEADER) && (magic(file).equals(MAGIC) || magic(file).equals(MAGIC_UNFINISHED));
    }

    private static String magic(FileBytes file) {
        return new String(file.bytes(0, MAGIC.length(), "magic"), StandardCharsets.ISO_8859_1);
    }

    /**
     * Looks at the beginning of a file.
     *
     * @throws UnsupportedRequestException for a save image of a version or compression that is not known
     */
    static SaveImage read(FileBytes file) {
        if (!isLibvirt(file)) {
            return new SaveImage(false, true, 0, Compression.NONE, Optional.empty(), List.of());
        }
        ByteOrder order = ByteOrder.LITTLE_ENDIAN;
        long version = file.u32(16, order, "version of the save image");
        long swapped = file.u32(16, ByteOrder.BIG_ENDIAN, "version of the save image");
        if (version > LATEST_VERSION && swapped < version) {
            order = ByteOrder.BIG_ENDIAN;
            version = swapped;
        }
        if (version < 1 || version > LATEST_VERSION) {
            throw new UnsupportedRequestException(file.name() + ": save image of libvirt's version " + version
                    + ", of which Guestcore knows 1 and 2; " + OtherWays.RESTORE);
        }
        long length = file.u32(20, order, "size of the domain's description");
        if (length > file.size() - HEADER) {
            throw file.malformed(20, "size of the domain's description", "at most " + (file.size() - HEADER),
                    Long.toString(length), "the file is cut short before the guest's memory begins");
        }
        long number = file.u32(28, order, "compression");
        if (number >= COMPRESSIONS.size()) {
            throw new UnsupportedRequestException(file.name() + ": save image compressed by libvirt's"
                    + " method " + number + (number == SPARSE
                            ? " (sparse, QEMU's mapped-ram), which Guestcore does not read yet; "
                            : ", of which Guestcore knows 0 to 5; ")
                    + OtherWays.RESTORE);
        }
        byte[] bytes = file.bytes(HEADER, (int) Math.min(length, MOST_XML), "domain's description");
        String text = new String(bytes, StandardCharsets.UTF_8);
        return new SaveImage(
                true, magic(file).equals(MAGIC), HEADER + length, COMPRESSIONS.get((int) number), domain(text),
                dimms(text));
    }

    /** How the stream is compressed, if it is. */
    Optional<String> compressionLabel() {
        return compression == Compression.NONE ? Optional.empty() : Optional.of(compression.label());
    }

    private static Optional<String> domain(String text) {
        Matcher matcher = NAME.matcher(text);
        return matcher.find() ? Optional.of(matcher.group(1).replaceAll("\\p{Cntrl}", "?")) : Optional.empty();
    }

    /** libvirt names the memory backend of a DIMM after the DIMM's alias. */
    private static List<PcMemoryMap.Dimm> dimms(String text) {
        List<PcMemoryMap.Dimm> dimms = new ArrayList<>();
        Matcher devices = MEMORY_DEVICE.matcher(text);
        while (devices.find() && dimms.size() < MOST_DIMMS) {
            Matcher alias = ALIAS.matcher(devices.group());
            Matcher base = BASE.matcher(devices.group());
            if (alias.find() && base.find()) {
                dimms.add(new PcMemoryMap.Dimm("mem" + alias.group(1), Long.parseUnsignedLong(base.group(1), 16)));
            }
        }
        return dimms;
    }
}
