package dev.guestcore.internal.kernel;

import dev.guestcore.GuestMemory;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.kernel.LinuxBanner;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * The six strings of struct new_utsname. A kernel that left VMCOREINFO says there where its own copy lies; of any other Linux
 * the banner tells release and version. Readers of kdumps refuse a file in which system, node, release, version or machine is
 * empty, so what cannot be found says so in words.
 */
public final class UtsName {

    private static final long KERNEL_MAP = 0xffffffff80000000L;
    /** Bytes of each string, with the zero at its end. */
    public static final int LENGTH = 65;

    private static final int COUNT = 6;
    private static final String UNKNOWN = "(unknown)";

    private UtsName() {}

    /**
     * System, node, release, version, machine, domain; all but the machine empty if the guest is no known Linux.
     *
     * @param machine as Linux calls it
     * @param banner looks for the banner
     */
    public static List<String> of(
            GuestMemory memory, String machine, byte[] vmcoreInfo, Supplier<Optional<LinuxBanner>> banner) {
        VmcoreInfoFields fields = new VmcoreInfoFacts(vmcoreInfo).fields();
        Optional<String> release = fields.release();
        if (release.isEmpty()) {
            return banner.get()
                    .map(found -> List.of("Linux", UNKNOWN, found.release(), found.version(), machine, UNKNOWN))
                    .orElse(List.of("", "", "", "", machine, ""));
        }
        return inMemory(memory, fields)
                .filter(names -> names.get(2).equals(release.get()))
                .orElse(List.of("Linux", UNKNOWN, release.get(), UNKNOWN, machine, UNKNOWN));
    }

    private static Optional<List<String>> inMemory(GuestMemory memory, VmcoreInfoFields fields) {
        OptionalLong symbol = fields.symbol("init_uts_ns");
        OptionalLong offset = fields.offset("uts_namespace.name");
        OptionalLong base = fields.physicalBase();
        if (symbol.isEmpty() || offset.isEmpty() || base.isEmpty()) {
            return Optional.empty();
        }
        byte[] names = new byte[COUNT * LENGTH];
        long address = symbol.getAsLong() - KERNEL_MAP + base.getAsLong() + offset.getAsLong();
        if (memory.readAvailable(address, MemorySegment.ofArray(names)) < names.length) {
            return Optional.empty();
        }
        return Optional.of(IntStream.range(0, COUNT).mapToObj(i -> string(names, i)).toList());
    }

    private static String string(byte[] names, int index) {
        int from = index * LENGTH;
        String text = new String(names, from, LENGTH, StandardCharsets.ISO_8859_1);
        int nul = text.indexOf('\0');
        return nul < 0 ? text : text.substring(0, nul);
    }
}
