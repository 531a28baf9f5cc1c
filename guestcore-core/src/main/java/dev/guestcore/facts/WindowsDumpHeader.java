package dev.guestcore.facts;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * The header of a Windows crash dump, which the fw_cfg driver of a Windows guest gives QEMU in place of VMCOREINFO, so that
 * {@code dump-guest-memory -w} can write one (QEMU, include/qemu/win_dump_defs.h). Little-endian:
 *
 * <pre>
 *  0 "PAGE"    4 "DU64", or "DUMP" of a 32-bit Windows    8 u32 major version    12 u32 build
 * </pre>
 *
 * @param wide whether it is a 64-bit Windows
 * @param build number of the build, such as 19041
 */
public record WindowsDumpHeader(boolean wide, int build) {

    private static final int SIZE = 16;
    private static final long MAGIC_64 = 0x3436_5544_4547_4150L;
    private static final long MAGIC_32 = 0x504d_5544_4547_4150L;

    /** The header at the beginning of {@code bytes}, if there is one. */
    public static Optional<WindowsDumpHeader> of(byte[] bytes) {
        if (bytes.length < SIZE) {
            return Optional.empty();
        }
        ByteBuffer header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        long magic = header.getLong(0);
        return magic == MAGIC_64 || magic == MAGIC_32
                ? Optional.of(new WindowsDumpHeader(magic == MAGIC_64, header.getInt(12)))
                : Optional.empty();
    }

    /** The header in a dump's notes, if one of them is such a header. */
    public static Optional<WindowsDumpHeader> of(ElfFacts facts) {
        return facts.notes().stream()
                .filter(note -> note.name().equals(VmcoreInfoFacts.NOTE) && note.content().size() <= 1 << 20)
                .flatMap(note -> of(note.descriptor()).stream())
                .findFirst();
    }

    /** The system for people: "Windows build 19041". */
    public String system() {
        return "Windows build " + Integer.toUnsignedString(build);
    }
}
