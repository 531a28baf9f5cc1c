package dev.guestcore.search;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.UnsupportedRequestException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MemorySearchTest {

    private static final int MEGABYTE = 1 << 20;

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static GuestMemory memory(long address, byte[] bytes) {
        return Guest.builder().ram(address, MemorySegment.ofArray(bytes)).build().memory();
    }

    private static List<Long> find(GuestMemory memory, SearchPattern pattern) {
        List<Long> found = new ArrayList<>();
        MemorySearch.of(pattern).physical(memory, hit -> found.add(hit.address()), Progress.none());
        return found;
    }

    private static void put(byte[] bytes, int at, String text) {
        byte[] source = ascii(text);
        System.arraycopy(source, 0, bytes, at, source.length);
    }

    @Test
    void findsBytesEverywhereAlsoAcrossBatchesAndRegions() {
        byte[] low = new byte[3 * MEGABYTE];
        byte[] next = new byte[MEGABYTE];
        List<Long> expected = new ArrayList<>();
        int batch = SearchBatch.SIZE;
        for (int at : new int[] {0, 4090, batch - 9, batch - 8, MEGABYTE - 7, 2 * MEGABYTE - 15}) {
            put(low, at, "needle-A");
        }
        put(low, SearchBatch.SIZE - 9, "needle-needle-A");
        put(low, 3 * MEGABYTE - 3, "nee");
        put(next, 0, "dle-A");
        put(next, MEGABYTE - 8, "needle-A");
        byte[] whole = Arrays.copyOf(low, 4 * MEGABYTE);
        System.arraycopy(next, 0, whole, 3 * MEGABYTE, MEGABYTE);
        String text = new String(whole, StandardCharsets.ISO_8859_1);
        for (int at = text.indexOf("needle-A"); at >= 0; at = text.indexOf("needle-A", at + 1)) {
            expected.add(0x10_0000L + at);
        }
        assertTrue(expected.contains(0x10_0000L + 3 * MEGABYTE - 3));
        GuestMemory memory = Guest.builder()
                .ram(0x10_0000, MemorySegment.ofArray(low))
                .rom(0x10_0000 + 3 * MEGABYTE, MemorySegment.ofArray(next))
                .build()
                .memory();
        assertEquals(expected, find(memory, SearchPattern.bytes(ascii("needle-A"))));
        assertEquals(expected, find(memory, SearchPattern.hex("6e 65 65 64 6c 65 2d 41")));
        assertEquals(expected, find(memory, SearchPattern.regex("needle-[A-C]", 8)));
        assertEquals(expected, find(memory, SearchPattern.regex("[n]eed(le|el)-A", 100)));
    }

    @Test
    void findsInTheUpperHalfOfTheAddressesWhatComesBehindAFindInTheLowerHalf() {
        for (long second : new long[] {0x8000_0000_0000_0000L, 0xffff_ffff_8100_0000L, 0xffff_ffff_ffff_f000L}) {
            byte[] low = new byte[8192];
            byte[] high = new byte[4096];
            put(low, 100, "needle1");
            put(low, 8192 - 7, "needle2");
            put(high, 0, "needle3");
            put(high, 4096 - 7, "needle4");
            GuestMemory memory = Guest.builder()
                    .ram(0x40_0000, MemorySegment.ofArray(low))
                    .ram(second, MemorySegment.ofArray(high))
                    .build()
                    .memory();
            List<Long> all = List.of(0x40_0064L, 0x40_1ff9L, second, second + 4089);
            assertEquals(all, find(memory, SearchPattern.regex("needle[0-9]", 64)), "prefix");
            assertEquals(all, find(memory, SearchPattern.regex("[Nn]eedle[0-9]", 64)), "general");
            assertEquals(all, find(memory, SearchPattern.text("needle", List.of(StandardCharsets.UTF_8))), "text");
        }
    }

    @Test
    void overlappingBytesAreAllFound() {
        GuestMemory memory = memory(0, ascii("xaaaax"));
        assertEquals(List.of(1L, 2L, 3L), find(memory, SearchPattern.bytes(ascii("aa"))));
        assertEquals(List.of(1L, 3L), find(memory, SearchPattern.regex("aa", 2)));
        assertEquals(List.of(1L), find(memory, SearchPattern.regex("a+", 10)));
    }

    @Test
    void findsRandomNeedlesWhereAPlainSearchDoes() {
        Random random = new Random(7);
        for (int round = 0; round < 60; round++) {
            byte[] bytes = new byte[SearchBatch.SIZE + 40_000 + random.nextInt(100_000)];
            int alphabet = 2 + random.nextInt(4);
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (random.nextInt(alphabet) * 0x7f);
            }
            int length = 8 + random.nextInt(30);
            int from = random.nextInt(bytes.length - length);
            byte[] needle = Arrays.copyOfRange(bytes, from, from + length);
            String text = new String(bytes, StandardCharsets.ISO_8859_1);
            String wanted = new String(needle, StandardCharsets.ISO_8859_1);
            List<Long> expected = new ArrayList<>();
            for (int at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
                expected.add(0x5000L + at);
            }
            assertEquals(expected, find(memory(0x5000, bytes), SearchPattern.bytes(needle)), "round " + round);
        }
    }

    @Test
    void findsTextsInSeveralEncodings() {
        byte[] bytes = new byte[20_000];
        System.arraycopy("Grüße".getBytes(StandardCharsets.UTF_8), 0, bytes, 100, 7);
        System.arraycopy("Grüße".getBytes(StandardCharsets.UTF_16LE), 0, bytes, 5001, 10);
        System.arraycopy("Grüße".getBytes(StandardCharsets.UTF_16BE), 0, bytes, 9000, 10);
        // Between zeros each of the two would be found in the other as well, one byte off.
        bytes[5000] = '.';
        bytes[9010] = '.';
        SearchPattern all = SearchPattern.text(
                "Grüße", List.of(StandardCharsets.UTF_8, StandardCharsets.UTF_16LE, StandardCharsets.UTF_16BE));
        assertEquals(List.of(100L, 5001L, 9000L), find(memory(0, bytes), all));
        assertEquals(
                List.of(5001L),
                find(memory(0, bytes), SearchPattern.text("Grüße", List.of(StandardCharsets.UTF_16LE))));
        assertThrows(
                UnsupportedRequestException.class,
                () -> SearchPattern.text("Grüße", List.of(StandardCharsets.US_ASCII)));
        assertEquals(List.of(100L), find(memory(0, bytes), SearchPattern.regex("Gr(ü|u)ße?", 20)));
    }

    /** Expressions without alternatives in which the longest match and java.util.regex's first match are the same. */
    @Test
    void regularExpressionsMatchWhatJavaMatches() {
        List<String> expressions = List.of(
                "ab+c",
                "a[bc]{2,5}d",
                "[^a]a{3}",
                "(?i)abc",
                "a.c",
                "(?s)a.c",
                "(ab)+",
                "\\x00+a",
                "b(a|c)+d?",
                "a\\n?b",
                "[a-b]{4,}",
                "d\\D\\S");
        Random random = new Random(11);
        byte[] bytes = new byte[SearchBatch.SIZE * 2 + 12_345];
        byte[] alphabet = ascii("aaabbccdABC\0\n");
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = alphabet[random.nextInt(alphabet.length)];
        }
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        for (String expression : expressions) {
            Matcher matcher = Pattern.compile(expression).matcher(text);
            SearchSummary summary = MemorySearch.of(SearchPattern.regex(expression, 1000))
                    .context(0)
                    .physical(
                            memory(0, bytes),
                            hit -> {
                                assertTrue(matcher.find(), expression);
                                assertEquals(matcher.start(), hit.address(), expression);
                                assertEquals(matcher.end() - matcher.start(), hit.length(), expression);
                            },
                            Progress.none());
            assertTrue(summary.hits() > 100, expression);
            assertEquals(false, matcher.find(), expression);
        }
    }

    @Test
    void matchesAreTheLongestAndBounded() {
        GuestMemory memory = memory(0, ascii("abcabcd" + "x".repeat(100)));
        List<String> found = new ArrayList<>();
        MemorySearch.of(SearchPattern.regex("abc|abcd|bc|x+", 30))
                .physical(memory, hit -> found.add(hit.address() + "+" + hit.length()), Progress.none());
        assertEquals(List.of("0+3", "3+4", "7+30", "37+30", "67+30", "97+10"), found);
    }

    @Test
    void aMatchAcrossBatchesIsTheSameMatch() {
        byte[] bytes = new byte[2 * MEGABYTE];
        Arrays.fill(bytes, SearchBatch.SIZE - 700, SearchBatch.SIZE + 700, (byte) 'a');
        List<String> found = new ArrayList<>();
        MemorySearch.of(SearchPattern.regex("a+", 1000))
                .physical(memory(0, bytes), hit -> found.add(hit.address() + "+" + hit.length()), Progress.none());
        assertEquals(
                List.of((SearchBatch.SIZE - 700) + "+1000", (SearchBatch.SIZE + 300) + "+400"), found);
    }

    @Test
    void hostileExpressionsEndInTime() {
        byte[] bytes = new byte[MEGABYTE];
        Arrays.fill(bytes, (byte) 'a');
        for (String expression : List.of("(a*)*b", "(a|aa)+$?".replace("$?", "b"), "(.*.*.*x){20}", "(a?){50}a{50}b")) {
            assertTimeout(
                    Duration.ofSeconds(30),
                    () -> assertEquals(List.of(), find(memory(0, bytes), SearchPattern.regex(expression, 256))),
                    expression);
        }
        for (String expression : List.of(
                "a{1000}{1000}", "(((a{0}){1000}){1000}){1000}", "(".repeat(200) + "a" + ")".repeat(200))) {
            assertThrows(UnsupportedRequestException.class, () -> SearchPattern.regex(expression, 10), expression);
        }
    }

    @Test
    void refusesWhatIsNoExpression() {
        for (String expression : List.of(
                "a*", "", "a|", "(a", "a)", "[a", "[z-a]", "*a", "a{2", "a{3,2}", "a*?", "^a", "a$", "\\q", "\\x4",
                "(?=a)", "[ä]", "a\\", "[\\d-x]", "a{99999}", "[^\\x00-\\xff]")) {
            assertThrows(UnsupportedRequestException.class, () -> SearchPattern.regex(expression, 10), expression);
        }
        assertThrows(UnsupportedRequestException.class, () -> SearchPattern.bytes(new byte[0]));
        assertThrows(UnsupportedRequestException.class, () -> SearchPattern.hex("abc"));
    }

    @Test
    void manyHitsAreStreamed() {
        byte[] bytes = new byte[4 * MEGABYTE];
        long[] next = {0};
        SearchSummary summary = MemorySearch.of(SearchPattern.bytes(new byte[1]))
                .context(0)
                .physical(memory(0, bytes), hit -> assertEquals(next[0]++, hit.address()), Progress.none());
        assertEquals(4 * MEGABYTE, summary.hits());
        assertEquals(4 * MEGABYTE, summary.searchedBytes());
    }

    @Test
    void stopsAtTheLimitAndWhenCancelled() {
        byte[] bytes = new byte[4 * MEGABYTE];
        List<Long> found = new ArrayList<>();
        SearchSummary summary = MemorySearch.of(SearchPattern.bytes(new byte[4]))
                .limit(5)
                .physical(memory(0x1000, bytes), hit -> found.add(hit.address()), Progress.none());
        assertEquals(List.of(0x1000L, 0x1001L, 0x1002L, 0x1003L, 0x1004L), found);
        assertEquals(0x1005, summary.stoppedAt().orElseThrow());
        Progress cancelling = new Progress() {
            @Override
            public void begin(String phase, long totalBytes) {
                assertEquals(4 * MEGABYTE, totalBytes);
            }

            @Override
            public void advance(long done) {
                throw new CancelledException();
            }
        };
        assertThrows(
                CancelledException.class,
                () -> MemorySearch.of(SearchPattern.bytes(new byte[] {1}))
                        .physical(memory(0, bytes), hit -> {}, cancelling));
    }

    @Test
    void holesSeparateAndFailedPagesAreCounted() {
        byte[] bytes = new byte[64 * 1024];
        put(bytes, 0x4ffc, "needle");
        put(bytes, 0x7ffe, "needle");
        put(bytes, 0x9100, "needle");
        RegionContents failing = (offset, target) -> {
            if (offset >= 0x5000 && offset < 0x6000) {
                return 0;
            }
            long readable = offset < 0x5000 ? Math.min(target.byteSize(), 0x5000 - offset) : target.byteSize();
            MemorySegment.copy(MemorySegment.ofArray(bytes), offset, target, 0, readable);
            return readable;
        };
        MemoryRegion region =
                new MemoryRegion(AddressRange.ofSize(0x10000, bytes.length), MemoryRegion.Kind.RAM, "main");
        GuestMemory memory = Guest.builder().region(region, failing).build().memory();
        List<SearchHit> found = new ArrayList<>();
        SearchSummary summary = MemorySearch.of(SearchPattern.bytes(ascii("needle")))
                .context(8)
                .physical(memory, found::add, Progress.none());
        assertEquals(List.of(0x17ffeL, 0x19100L), found.stream().map(SearchHit::address).toList());
        assertEquals(0x1000, summary.unreadableBytes());
        assertEquals(bytes.length - 0x1000, summary.searchedBytes());
        assertEquals("main", found.getFirst().region());
        assertEquals(0x17ff6, found.getFirst().contextAddress());
        assertEquals(22, found.getFirst().context().length);
        GuestMemory apart = Guest.builder()
                .ram(0, MemorySegment.ofArray(ascii("nee")))
                .ram(4, MemorySegment.ofArray(ascii("dle")))
                .build()
                .memory();
        assertEquals(List.of(), find(apart, SearchPattern.bytes(ascii("needle"))));
    }

    @Test
    void longRunsOfZerosArePassedOverButForTheirEdges() {
        long size = 1L << 40;
        byte[] after = new byte[4096];
        put(after, 0, "end");
        GuestMemory memory = Guest.builder()
                .ram(0, MemorySegment.ofArray(ascii("x".repeat(4095) + "!")))
                .region(
                        new MemoryRegion(AddressRange.ofSize(4096, size), MemoryRegion.Kind.RAM, ""),
                        RegionContents.zeros())
                .ram(4096 + size, MemorySegment.ofArray(after))
                .build()
                .memory();
        assertEquals(PageState.ZERO, memory.runAt(4096).state());
        assertEquals(List.of(4095L), find(memory, SearchPattern.bytes(ascii("!\0\0\0"))));
        assertEquals(List.of(4096 + size - 2), find(memory, SearchPattern.bytes(ascii("\0\0end"))));
        assertEquals(List.of(4096 + size - 5), find(memory, SearchPattern.regex("\\x00{5}end", 20)));
    }

    @Test
    void searchesVirtualMemoryAcrossScatteredPages() {
        byte[] bytes = new byte[32 * 4096];
        ByteBuffer tables = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        tables.putLong(0x1000 + 511 * 8, 0x2003);
        tables.putLong(0x2000 + 510 * 8, 0x3003);
        tables.putLong(0x3000, 0x4003);
        tables.putLong(0x4000, 0x9003);
        tables.putLong(0x4008, 0x7003);
        tables.putLong(0x4018, 0x7003);
        put(bytes, 0x9ffc, "need");
        put(bytes, 0x7000, "le!");
        AddressSpace space = space(bytes);
        List<SearchHit> found = new ArrayList<>();
        MemorySearch.of(SearchPattern.bytes(ascii("needle")))
                .context(4)
                .virtual(space, found::add, Progress.none());
        assertEquals(1, found.size());
        assertEquals(0xffff_ffff_8000_0ffcL, found.getFirst().address());
        assertEquals(0x9ffc, found.getFirst().physical().orElseThrow().value());
        assertEquals("rwx--", found.getFirst().region());
        List<Long> shared = new ArrayList<>();
        MemorySearch.of(SearchPattern.bytes(ascii("le!")))
                .virtual(space, hit -> shared.add(hit.address()), Progress.none());
        assertEquals(List.of(0xffff_ffff_8000_1000L, 0xffff_ffff_8000_3000L), shared);
    }

    private static AddressSpace space(byte[] bytes) {
        Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(bytes))
                .vcpu(RegisterState.unknown())
                .build();
        TranslationOptions options =
                TranslationOptions.defaults().withMode(X86PagingMode.FOUR_LEVEL).withRoot(0x1000);
        return AddressSpace.of(guest, guest.vcpus().getFirst(), options);
    }

    @Test
    void onePageShownBillionsOfTimesIsSearchedAtItsEdges() {
        byte[] bytes = new byte[16 * 4096];
        ByteBuffer tables = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        tables.putLong(0x1000, 0x6003);
        for (int i = 0; i < 512; i++) {
            tables.putLong(0x2000 + i * 8, 0x3003);
            tables.putLong(0x3000 + i * 8, 0x4003);
            tables.putLong(0x4000 + i * 8, 0x5003);
        }
        tables.putLong(0x1000 + 256 * 8, 0x2003);
        put(bytes, 0x5ffe, "ab");
        put(bytes, 0x5000, "cd");
        List<Long> found = new ArrayList<>();
        SearchSummary summary = MemorySearch.of(SearchPattern.bytes(ascii("bc")))
                .virtual(space(bytes), hit -> found.add(hit.address()), Progress.none());
        long first = 0xffff_8000_0000_0000L;
        long last = first + (1L << 39) - 1;
        assertTrue(found.contains(first + 0xfff), found.toString());
        assertTrue(found.contains(last - 0x1000), found.toString());
        assertTrue(summary.repeatedBytes() > 1L << 38);
        assertEquals(Stream.of(first + 0xfff).toList(), found.subList(0, 1));
    }
}
