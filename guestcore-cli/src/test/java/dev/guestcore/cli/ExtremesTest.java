package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongUnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The largest guests there may be, in every command. All tests run with a small heap, so none of this may cost any. The
 * time limit is far above what is needed, and far below what it takes to read a terabyte, or to do anything for each pair
 * of a million ranges.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
@Tag("slow")
class ExtremesTest {

    private static final int PAGE = 4096;
    private static final long TERABYTE = 1L << 40;
    private static final int EHDR = 64;
    private static final int PHDR = 56;
    private static final int SHDR = 64;
    private static final int PN_XNUM = 0xffff;
    private static final int NOTE = 12 + 8 + 336;

    @TempDir
    Path folder;

    private String file(String name) {
        return folder.resolve(name).toString();
    }

    /** An ELF core with a vCPU whose registers are all zero, and ranges that follow one another in the file. */
    private long elf(Path path, int ranges, LongUnaryOperator addresses, LongUnaryOperator sizes) throws IOException {
        int headers = ranges + 1;
        boolean many = headers >= PN_XNUM;
        long tables = EHDR + (long) headers * PHDR;
        long note = tables + (many ? SHDR : 0);
        long data = (note + NOTE + PAGE - 1) & -PAGE;
        ByteBuffer head = ByteBuffer.allocate((int) data).order(ByteOrder.LITTLE_ENDIAN);
        head.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
        head.putShort((short) 4).putShort((short) 62).putInt(1).putLong(0).putLong(EHDR).putLong(many ? tables : 0);
        head.putInt(0).putShort((short) EHDR).putShort((short) PHDR).putShort((short) (many ? PN_XNUM : headers));
        head.putShort((short) (many ? SHDR : 0)).putShort((short) (many ? 1 : 0)).putShort((short) 0);
        head.putInt(4).putInt(0).putLong(note).putLong(0).putLong(0).putLong(NOTE).putLong(NOTE).putLong(4);
        long offset = data;
        for (int i = 0; i < ranges; i++) {
            long size = sizes.applyAsLong(i);
            head.putInt(1).putInt(7).putLong(offset).putLong(0).putLong(addresses.applyAsLong(i));
            head.putLong(size).putLong(size).putLong(0);
            offset += size;
        }
        if (many) {
            head.position((int) tables + 44).putInt(headers);
        }
        head.position((int) note).putInt(5).putInt(336).putInt(1).put("CORE".getBytes(StandardCharsets.US_ASCII));
        try (FileChannel channel =
                FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE,
                        StandardOpenOption.SPARSE)) {
            channel.write(head.rewind(), 0);
            channel.write(ByteBuffer.allocate(1), offset - 1);
        }
        return data;
    }

    private static void put(Path path, long offset, String text) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)), offset);
        }
    }

    private static Run run(String... arguments) {
        return Run.of(arguments).expect(ExitCode.DONE);
    }

    private void assertFinds(String core, int count, String text) {
        Run found = run("search", core, text);
        assertTrue(found.out().contains(count + " found"), found.out());
    }

    private Run toSvg(String core) throws IOException {
        Run written = run("map", core, "--svg", file("map.svg"), "--force");
        assertTrue(Files.size(folder.resolve("map.svg")) < 1 << 20, "a picture is for looking at");
        return written;
    }

    @Test
    void fourTerabytes() throws IOException {
        Path core = folder.resolve("tera.elf");
        long low = 3L << 30;
        long data = elf(core, 2, i -> i == 0 ? 0 : 1L << 32, i -> i == 0 ? low : 4 * TERABYTE - low);
        put(core, data + 0x100000, "needle here");
        put(core, data + 4 * TERABYTE - 12345, "needle there");
        long end = 4 * TERABYTE + (1L << 30);
        assertTrue(run("info", file("tera.elf")).out().contains("~4.0 TiB"));
        assertTrue(run("info", "--scan", file("tera.elf")).out().contains("1,073,741,824"));
        run("verify", "--deep", file("tera.elf"));
        run("regs", file("tera.elf"));
        toSvg(file("tera.elf"));
        run("map", file("tera.elf"));
        assertFinds(file("tera.elf"), 2, "needle");
        for (String format : List.of("elf", "vbox", "lime", "raw")) {
            String out = file("out." + format);
            run("convert", file("tera.elf"), "-o", out, "--to", format);
            Run read = run("read", out, "0x" + Long.toHexString(end - 12345), "12", "--raw");
            assertEquals("needle there", read.out(), format);
            // Registers differ where the format has none.
            assertTrue(Run.of("diff", file("tera.elf"), out).out().contains("the same, 4 TiB compared"), format);
            Files.delete(Path.of(out));
        }
    }

    @Test
    void aMillionRanges() throws IOException {
        int ranges = 1_000_000;
        Path core = folder.resolve("many.elf");
        long data = elf(core, ranges, i -> 2 * PAGE * i, i -> PAGE);
        for (int i = 0; i < 20; i++) {
            put(core, data + (long) PAGE * i * 50_000, "needle " + i);
        }
        String many = file("many.elf");
        assertTrue(run("info", many).bytes().length < 4000, "nobody reads a million lines");
        run("verify", many);
        run("regs", many);
        run("map", many);
        toSvg(many);
        assertEquals("needle 19", run("read", many, "0x" + Long.toHexString(2L * PAGE * 950_000), "9", "--raw").out());
        assertFinds(many, 20, "needle");
        assertTrue(run("diff", many, many).out().contains("the same"));
        for (String format : List.of("elf", "xen")) {
            String out = file("out." + format);
            run("convert", many, "-o", out, "--to", format);
            assertEquals(
                    "needle 19", run("read", out, "0x" + Long.toHexString(2L * PAGE * 950_000), "9", "--raw").out(),
                    format);
            Files.delete(Path.of(out));
        }
    }

    @Test
    void theEndOfTheAddressSpace() throws IOException {
        long[] addresses = {0, (1L << 52) - 2 * PAGE, -65536};
        long[] sizes = {PAGE, 2 * PAGE, 65536};
        Path core = folder.resolve("high.elf");
        long data = elf(core, 3, i -> addresses[(int) i], i -> sizes[(int) i]);
        put(core, data + PAGE, "needle below 2^52");
        put(core, data + 3 * PAGE + 65536 - 17, "needle below 2^64");
        String high = file("high.elf");
        for (String verb : List.of("info", "regs", "map", "verify")) {
            run(verb, high);
        }
        run("info", "--scan", high);
        run("info", "--json", high).json();
        run("verify", "--deep", high);
        toSvg(high);
        assertFinds(high, 2, "needle");
        for (String format : List.of("elf", "vbox", "xen", "lime", "avml", "raw")) {
            String out = file("out." + format);
            String[] packed = {"convert", high, "-o", out, "--to", format, "--manifest", "--layout", "packed"};
            run(format.equals("raw") ? packed : Arrays.copyOf(packed, 7));
            assertEquals("needle below 2^64", run("read", out, "0xffffffffffffffef", "17", "--raw").out(), format);
            assertEquals("needle below 2^52", run("read", out, "0xfffffffffe000", "17", "--raw").out(), format);
            assertTrue(Run.of("diff", high, out).out().contains("the same, 76 KiB compared"), format);
            assertTrue(run("verify", "--manifest", out).out().contains("every bit"), format);
            if (!format.equals("elf")) {
                Run other = run("verify", high, "--manifest-file", out + ".manifest.json");
                assertTrue(other.out().contains("another form of the same memory"), format);
            }
        }
        // A kdump has two bits for each page up to the last one; a flat image a byte for each byte.
        Run.of("convert", high, "-o", file("no"), "--to", "kdump").expect(ExitCode.FAILED);
        Run.of("convert", high, "-o", file("no"), "--to", "raw").expect(ExitCode.FAILED);
        Run.of("read", high, "0xfffffffffffffff0", "17").expect(ExitCode.USAGE);
    }

    @Test
    void aThousandVcpus() throws IOException {
        String vcpus = IntStream.range(0, 1024)
                .mapToObj(i -> "{\"registers\": {\"cr0\": \"0x80000001\", \"cr3\": \"0x1000\", \"cr4\": \"0x20\", "
                        + "\"efer\": \"0xd01\", \"rip\": " + (0x1000 + i) + "}}")
                .collect(Collectors.joining(",\n"));
        Path described = folder.resolve("cpus.json");
        Files.writeString(
                described,
                """
                {"regions": [{"kind": "ram", "address": 0, "size": "4M", "contents": [
                   {"offset": "0x1000", "hex": "2720000000000000"}, {"offset": "0x2000", "hex": "2730000000000000"},
                   {"offset": "0x3000", "hex": "8301200000000000"}]}],
                 "vcpus": [%s]}
                """
                        .formatted(vcpus));
        for (String format : List.of("vbox", "xen", "elf", "kdump")) {
            String out = file("out." + format);
            Run written = run("capture", "file:" + described, "-o", out, "--to", format);
            assertTrue(written.bytes().length < 4000, () -> "nobody reads a thousand numbers: " + written.out());
            assertTrue(run("info", out).out().contains("1,024") || run("info", out).out().contains("1024"), format);
            Map<?, ?> regs = run("regs", out, "--json").json();
            List<?> list = (List<?>) regs.get("vcpus");
            assertEquals(1024, list.size(), format);
            assertTrue(run("regs", out, "--cpu", "1023").out().contains("13ff"), format);
            run("verify", "--deep", out);
            assertTrue(run("diff", out, out).bytes().length < 4000, format);
        }
        run("translate", file("out.vbox"), "0x1234", "--cpu", "1023");
        run("map", file("out.vbox"), "--virtual", "--cpu", "1023");
    }
}
