package dev.guestcore.format.vbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Progress;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.testing.Samples;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every rule has a file that breaks it, and the check says where and how. */
class VerifyTest {

    private static final int LOAD = SmallCore.LOADS;
    private static final int CPU = SmallCore.FIRST_CPU;

    @TempDir
    private Path folder;

    private static List<Check> verify(Path path, boolean deep) {
        try (FileBytes file = FileBytes.open(path)) {
            return new VmCoreFormat().rules(file, deep, Progress.none());
        }
    }

    private static Arguments of(int number, long offset, String found, Consumer<ByteBuffer> change) {
        return Arguments.argumentSet("vbox-" + number, String.format("vbox-%02d", number), offset, found, change);
    }

    static Stream<Arguments> broken() {
        return Stream.of(
                of(1, 0, "7e 45 4c 46 02 01", core -> core.put(0, (byte) 0x7e)),
                of(2, 6, "1", core -> core.put(6, (byte) 1)),
                of(3, 7, "3", core -> core.put(7, (byte) 3)),
                of(4, 16, "2", core -> core.putShort(16, (short) 2)),
                of(5, 18, "183", core -> core.putShort(18, (short) 183)),
                of(6, 20, "2", core -> core.putInt(20, 2)),
                of(7, 24, "4096", core -> core.putLong(24, 4096)),
                of(8, 32, "65", core -> core.putLong(32, 65)),
                of(9, 52, "64, 56, 40", core -> core.putShort(58, (short) 40)),
                of(10, 56, "65535", core -> core.putShort(56, (short) -1)),
                of(11, 40, "0x0, 2, 0", core -> core.putShort(60, (short) 2)),
                of(12, 64, "538", core -> core.putShort(56, (short) 1000)),
                of(13, 64, "30192", core -> core.putShort(56, (short) 1000)),
                of(14, LOAD, "p_type 4 in program header 1", core -> core.putInt(LOAD, 4)),
                of(15, 64, null, core -> core.putInt(64 + 48, 4)),
                of(16, 72, "288", core -> core.putShort(56, (short) 3)),
                of(17, 96, "offset 288, size 1048576", core -> core.putLong(96, 1 << 20)),
                of(18, LOAD, "p_type 6", core -> core.putInt(LOAD, 6)),
                of(19, LOAD, "p_flags 5, p_vaddr 0x0, p_align 0", core -> core.putInt(LOAD + 4, 5)),
                of(20, LOAD + 32, "p_filesz 0x1000, p_memsz 0x2000", core -> core.putLong(LOAD + 32, 0x1000)),
                of(21, LOAD + 24, "p_paddr 0x0, p_memsz 0x0", core -> core.putLong(LOAD + 40, 0)),
                of(22, LOAD + 80, "0x2000 after 0x9000", core -> core.putLong(LOAD + 24, 0x9000)),
                of(23, 64, "1 overlaps", core -> core.putLong(LOAD + 112 + 24, 0x3000)),
                of(24, LOAD + 24, "0x10 with length 0x2000", core -> core.putLong(LOAD + 24, 0x10)),
                of(25, LOAD + 120, "0x1 in place of 0x6614", core -> core.putLong(LOAD + 120, 1)),
                of(26, 30228, "30228", core -> core.putLong(LOAD + 120, 0x7000)),
                of(27, CPU + 8804 * 2, null, core -> core.putLong(96, core.getLong(96) + 4)),
                of(28, SmallCore.NOTES, "VBCPU", VerifyTest::swapDescriptorBehindCpu),
                of(28, SmallCore.NOTES, null, core -> core.put(SmallCore.NOTES + 12, (byte) 'X')),
                of(29, SmallCore.NOTES, "another size or name", core -> core.putInt(SmallCore.NOTES, 7)),
                of(30, SmallCore.NOTES + 4, "28", core -> core.putInt(SmallCore.NOTES + 4, 28)),
                of(30, SmallCore.NOTES + 4, "20", core -> core.putInt(SmallCore.NOTES + 4, 20)),
                of(31, SmallCore.DESCRIPTOR, "0x12345678", core -> core.putInt(SmallCore.DESCRIPTOR, 0x12345678)),
                of(32, SmallCore.DESCRIPTOR + 4, null, core -> core.putInt(CPU + 4, 8792)),
                of(32, SmallCore.DESCRIPTOR + 4, "0x10005", core -> core.putInt(SmallCore.DESCRIPTOR + 4, 0x10005)),
                of(33, SmallCore.DESCRIPTOR + 8, "28", core -> core.putInt(SmallCore.DESCRIPTOR + 8, 28)),
                of(34, SmallCore.DESCRIPTOR + 12, "the minor version again (0x4010001)",
                        core -> core.putInt(SmallCore.DESCRIPTOR + 12, 0x04010001)),
                of(35, SmallCore.DESCRIPTOR + 20, "7", core -> core.putInt(SmallCore.DESCRIPTOR + 20, 7)),
                of(36, CPU + 8804, "VBCPU of type 0x1", core -> core.putInt(CPU + 8804 + 8, 1)),
                of(37, CPU + 8804 + 4, "8776", core -> core.putInt(CPU + 8804 + 4, 8776)),
                of(38, CPU + 20 + 576, "cbExt 9000", core -> core.putInt(CPU + 20 + 576, 9000)),
                of(39, CPU + 20 + 144 + 18, "other bytes", core -> core.put(CPU + 20 + 144 + 18, (byte) 1)),
                of(40, CPU + 20 + 592 + 520, "another value", core -> core.putLong(CPU + 20 + 592 + 520, 1L << 63)));
    }

    /** The first CPU note moves in front of the descriptor. */
    private static void swapDescriptorBehindCpu(ByteBuffer core) {
        byte[] descriptor = new byte[44];
        byte[] cpu = new byte[8804];
        core.get(SmallCore.NOTES, descriptor).get(CPU, cpu);
        core.put(SmallCore.NOTES, cpu).put(SmallCore.NOTES + 8804, descriptor);
    }

    @ParameterizedTest
    @MethodSource("broken")
    void saysWhichRuleIsBrokenAndWhere(String id, long offset, String found, Consumer<ByteBuffer> change) {
        byte[] bytes = SmallCore.bytes();
        change.accept(SmallCore.buffer(bytes));
        Check check = verify(SmallCore.file(folder, bytes), true).stream()
                .filter(candidate -> candidate.id().equals(id))
                .findFirst()
                .orElseThrow();
        assertTrue(
                check.result() == Check.Result.FAIL || check.result() == Check.Result.NOTE, check::toString);
        assertEquals(OptionalLong.of(offset), check.offset(), check::toString);
        if (found != null) {
            assertEquals(found, check.found());
        }
    }

    /** A range of whole pages has whole pages at its address as well. */
    @Test
    void anAddressInsideAPageFails() {
        byte[] bytes = SmallCore.bytes();
        SmallCore.buffer(bytes).putLong(LOAD + 112 + 24, 0x4010);
        Path file = SmallCore.file(folder, bytes);
        assertEquals(
                List.of("vbox-24"),
                verify(file, false).stream()
                        .filter(check -> check.result() == Check.Result.FAIL)
                        .map(Check::id)
                        .toList());
    }

    @Test
    void keepsAllRulesWithAnUntouchedFile() {
        List<Check> checks = verify(SmallCore.file(folder, SmallCore.bytes()), true);
        assertEquals(42, checks.size());
        assertEquals(List.of(), checks.stream().filter(check -> check.result() != Check.Result.PASS).toList());
        assertEquals(42, checks.stream().map(Check::id).distinct().count());
    }

    @Test
    void leavesTheMemoryAloneUnlessDeep() {
        Check check = verify(SmallCore.file(folder, SmallCore.bytes()), false).getLast();
        assertEquals(Check.Result.SKIPPED, check.result());
        assertEquals("needs a deep check", check.found());
    }

    @Test
    void skipsWhatAnEarlierRuleForbids() {
        byte[] bytes = SmallCore.bytes();
        bytes[0] = 0;
        List<Check> checks = verify(SmallCore.file(folder, bytes), true);
        assertEquals(Check.Result.FAIL, checks.getFirst().result());
        assertEquals("vbox-01", checks.getFirst().id());
        assertEquals(
                41, checks.stream().filter(check -> check.result() == Check.Result.SKIPPED).count());
    }

    @Test
    void findsTheMissingEnd() {
        byte[] bytes = SmallCore.bytes();
        Path file = SmallCore.file(folder, Arrays.copyOf(bytes, bytes.length - 1));
        Map<String, Check> checks = verify(file, true).stream()
                .collect(Collectors.toMap(Check::id, Function.identity()));
        assertEquals("30228 bytes", checks.get("vbox-26").expected());
        assertEquals("30227", checks.get("vbox-26").found());
        assertEquals(
                "1 range cannot be read to the end, the first from guest-physical 0x4fff on",
                checks.get("vbox-42").found());
    }

    @Test
    void namesBothFaultsOfTheFoundingRevision() {
        List<String> failed = verify(Samples.core("vbox/r32341-A"), true).stream()
                .filter(check -> check.result() == Check.Result.FAIL)
                .map(Check::id)
                .toList();
        assertEquals(List.of("vbox-25", "vbox-41", "vbox-42"), failed);
    }

    /** The documentation lists every rule under its number. */
    @Test
    void isDocumented() throws Exception {
        Path docs = Path.of("").toAbsolutePath();
        while (!Files.isDirectory(docs.resolve("docs"))) {
            docs = docs.getParent();
        }
        String text = Files.readString(docs.resolve("docs/formats/vbox-vmcore.md"));
        for (Check check : verify(SmallCore.file(folder, SmallCore.bytes()), true)) {
            assertTrue(text.contains("| " + check.id().substring(5) + " |"), check.id());
            String section = check.source().replaceFirst(".*section ", "");
            assertTrue(text.matches("(?s).*\\n##+ " + section.replace(".", "\\.") + "\\.? .*"), check.source());
        }
    }
}
