package dev.guestcore.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/**
 * A described guest of two vCPUs whose page tables hold one entry of every kind. vCPU 0 uses the root at 0x1000:
 *
 * <pre>
 * 0xffffffff81000000  2 MiB page at 0x200000, writable, executable, global
 * 0xffffffff81200000  4 KiB page at 0x5000, not writable, not executable, for user mode
 * 0xffffffff81201000  4 KiB page at 0x6000, which the source does not have
 * 0xffffffff81202000  not present
 * 0xffffffff81400000  not present
 * 0xffffffff81600000  2 MiB page with address bit 13 set, which is reserved
 * 0xffffffff81800000  a table at 1 TiB, which the source does not have
 * </pre>
 *
 * <p>The root at 0x8000, which vCPU 1 uses, shows the 4 KiB page at 0x5000 at address 0.
 */
final class PagedGuest {

    static final String NEEDLE = "needle in a page";

    static final String RELEASE = "6.9.7-test";
    static final String VMCOREINFO = "OSRELEASE=" + RELEASE + "\nPAGESIZE=4096\nSYMBOL(init_top_pgt)=ffffffff81003000\n"
            + "NUMBER(phys_base)=-14680064\nKERNELOFFSET=0\n";
    private static final String BANNER = "Linux version " + RELEASE + " (builder@host) (gcc 14.1.0) #1 SMP\n";

    private PagedGuest() {}

    /** Writes the description into a folder and gives the source's name. */
    static String in(Path folder) throws IOException {
        return in(folder, "");
    }

    /** The same with the traces of a Linux kernel in the page at 0x200000, and VMCOREINFO at 0x300000. */
    static String withLinux(Path folder) throws IOException {
        String page = "{\"offset\": " + offset(0x30_0000) + ", \"size\": 4096, \"fill\": 0}";
        return in(folder, ", " + entry(0x20_1000, BANNER) + ", " + page + ", " + entry(0x30_0000, VMCOREINFO));
    }

    private static String in(Path folder, String more) throws IOException {
        Path file = folder.resolve("paged.json");
        Files.writeString(
                file,
                """
                {"regions": [{"kind": "ram", "name": "main", "address": 0, "size": "24K", "contents": [
                   %s, %s, %s, %s, %s, %s, %s, %s, {"offset": "0x5000", "text": "%s"}]},
                  {"kind": "ram", "name": "main", "address": "0x7000", "size": "0x3f9000", "contents": [
                   %s, %s, %s, %s,
                   {"offset": "0x1f9100", "text": "\\u001b[2J%s"},
                   {"offset": "0x3f8ff0", "hex": "6e00650065006400 6c006500"}%s]}],
                 "vcpus": [
                   {"registers": {"cr0": "0x80000001", "cr3": "0x1000", "cr4": "0x20", "efer": "0xd01",
                                  "rip": "0xffffffff81000000"}},
                   {"registers": {"cr0": "0x80000001", "cr3": "0x8000", "cr4": "0x20", "efer": "0xd01"}},
                   {"registers": {"cr0": "0x80000001", "cr4": "0x20", "rip": "0x1000"}}]}
                """
                        .formatted(
                                word(0x1000 + 511 * 8, 0x2027),
                                word(0x2000 + 510 * 8, 0x3027),
                                word(0x3000 + 8 * 8, 0x20_0183),
                                word(0x3000 + 9 * 8, 0x4027),
                                word(0x4000, 0x8000_0000_0000_5005L),
                                word(0x4000 + 8, 0x8000_0000_0000_6005L),
                                word(0x3000 + 11 * 8, 0x20_2083),
                                word(0x3000 + 12 * 8, (1L << 40) + 0x27),
                                NEEDLE,
                                word(0x8000, 0x9027),
                                word(0x9000, 0xa027),
                                word(0xa000, 0xb027),
                                word(0xb000, 0x5027),
                                NEEDLE,
                                more));
        return "file:" + file;
    }

    private static String word(long offset, long value) {
        return piece(offset, HexFormat.of().toHexDigits(Long.reverseBytes(value)));
    }

    private static String entry(long offset, String text) {
        return piece(offset, HexFormat.of().formatHex(text.getBytes(StandardCharsets.US_ASCII)));
    }

    /** From the beginning of the region that the address lies in. */
    private static long offset(long address) {
        return address < 0x7000 ? address : address - 0x7000;
    }

    private static String piece(long offset, String hex) {
        return "{\"offset\": " + offset(offset) + ", \"hex\": \"" + hex + "\"}";
    }
}
