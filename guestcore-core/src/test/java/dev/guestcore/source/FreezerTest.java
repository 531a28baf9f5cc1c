package dev.guestcore.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Freeze;
import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.internal.freeze.FreezeBuffer;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.parallel.Isolated;

/** A live source of which nothing is known but how it freezes. */
@EnabledOnOs(OS.LINUX)
@Isolated("changes the process's system properties")
class FreezerTest {

    private static final int SIZE = (9 << 20) + 4096 + 100;

    @AfterEach
    void clear() {
        System.clearProperty(FreezeBuffer.LIMIT_PROPERTY);
    }

    /** RAM with a page that fails, pages that are known to be zero, and a device; shifts its bytes when it runs. */
    private static class Machine implements GuestSource, RegionContents, Freeze {

        private final byte[] bytes = new byte[SIZE];
        private final List<String> log = new ArrayList<>();
        private boolean frozen;

        Machine() {
            new Random(7).nextBytes(bytes);
        }

        @Override
        public String description() {
            return "machine";
        }

        @Override
        public List<MemoryRegion> regions() {
            return List.of(
                    new MemoryRegion(AddressRange.ofSize(0x1000, SIZE), MemoryRegion.Kind.RAM, "ram"),
                    new MemoryRegion(AddressRange.ofSize(1L << 40, 4096), MemoryRegion.Kind.DEVICE, "device"));
        }

        @Override
        public int vcpuCount() {
            return 1;
        }

        @Override
        public boolean isLive() {
            return true;
        }

        @Override
        public void prepare() {
            log.add("prepare");
        }

        @Override
        public Guest freeze() {
            log.add("freeze");
            frozen = true;
            return Guest.builder()
                    .region(regions().get(0), this)
                    .region(regions().get(1), RegionContents.absent())
                    .vcpu(RegisterState.builder().set(X86.RIP, 0x1234).build())
                    .freeze(this)
                    .onClose(() -> {
                        log.add("thaw");
                        frozen = false;
                    })
                    .build();
        }

        @Override
        public void close() {
            log.add("close");
        }

        @Override
        public Run runAt(long offset, long remaining) {
            // 2 MiB to 2 MiB + 3 pages and a bit is zero; the sixth page of the third MiB fails.
            long zeroFrom = 2 << 20;
            long zeroTo = zeroFrom + 3 * 4096 + 10;
            if (offset < zeroFrom) {
                return new Run(PageState.PRESENT, Math.min(remaining, zeroFrom - offset));
            }
            return offset < zeroTo
                    ? new Run(PageState.ZERO, Math.min(remaining, zeroTo - offset))
                    : new Run(PageState.PRESENT, remaining);
        }

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            assertTrue(frozen, "read while it runs");
            long bad = (3 << 20) + 5 * 4096;
            long end = offset + target.byteSize();
            if (offset >= bad && offset < bad + 4096) {
                return 0;
            }
            long readable = (offset < bad ? Math.min(end, bad) : end) - offset;
            MemorySegment.copy(MemorySegment.ofArray(bytes), offset, target, 0, readable);
            return readable;
        }

        @Override
        public boolean wasRunning() {
            return true;
        }

        @Override
        public Duration elapsed() {
            return Duration.ofMillis(5);
        }
    }

    @Test
    void aBufferedGuestIsTheSameAndTheMachineRuns() {
        Machine machine = new Machine();
        List<FreezeChoice> choices = new ArrayList<>();
        Guest guest = machine.freeze(FreezeRequest.shortest().withListener(choice -> {
            assertFalse(machine.frozen);
            choices.add(choice);
        }));
        assertEquals(List.of("prepare", "freeze", "thaw"), machine.log);
        assertEquals(List.of(new FreezeChoice(FreezeMethod.BUFFER, "")), choices);
        Freeze freeze = guest.freeze().orElseThrow();
        assertEquals(FreezeMethod.BUFFER, freeze.method());
        assertEquals(Duration.ofMillis(5), freeze.elapsed());
        assertTrue(freeze.reading().isPositive());
        assertEquals("buffer", guest.provenance().layout());
        assertEquals(0x1234, guest.vcpus().getFirst().registers().get(X86.RIP));
        assertEquals(machine.regions(), guest.memory().regions());
        check(guest, machine);
        guest.close();
        assertThrows(
                IllegalStateException.class,
                () -> guest.memory().readAvailable(0x1000, MemorySegment.ofArray(new byte[8])));
    }

    private static void check(Guest guest, Machine machine) {
        int zeroFrom = 2 << 20;
        int zeroTo = zeroFrom + 3 * 4096 + 10;
        int bad = (3 << 20) + 5 * 4096;
        byte[] before = new byte[bad];
        assertEquals(bad, guest.memory().readAvailable(0x1000, MemorySegment.ofArray(before).asSlice(0, bad)));
        byte[] expected = machine.bytes.clone();
        Arrays.fill(expected, zeroFrom, zeroTo, (byte) 0);
        assertEquals(-1, Arrays.mismatch(before, 0, bad, expected, 0, bad));
        assertEquals(
                new PageRun(AddressRange.ofSize(0x1000 + zeroFrom, 3 * 4096), PageState.ZERO),
                guest.memory().runAt(0x1000 + zeroFrom));
        assertEquals(
                new PageRun(AddressRange.ofSize(0x1000 + bad, 4096), PageState.UNREADABLE),
                guest.memory().runAt(0x1000 + bad));
        assertEquals(0, guest.memory().readAvailable(0x1000 + bad, MemorySegment.ofArray(new byte[1])));
        int rest = SIZE - bad - 4096;
        byte[] after = new byte[rest];
        guest.memory().read(0x1000 + bad + 4096, MemorySegment.ofArray(after));
        assertEquals(-1, Arrays.mismatch(after, 0, rest, expected, bad + 4096, SIZE));
        assertEquals(PageState.ABSENT, guest.memory().runAt(1L << 40).state());
    }

    @Test
    void withoutRoomItIsTakenDirectlyAndSaidWhy() {
        System.setProperty(FreezeBuffer.LIMIT_PROPERTY, "1000");
        Machine machine = new Machine();
        List<FreezeChoice> choices = new ArrayList<>();
        Guest guest = machine.freeze(FreezeRequest.shortest().withListener(choices::add));
        assertEquals(List.of("prepare", "freeze"), machine.log);
        assertEquals(FreezeMethod.DIRECT, choices.getFirst().method());
        assertTrue(choices.getFirst().reason().startsWith("no buffer: "), choices.getFirst().reason());
        guest.close();
        UnsupportedRequestException error = assertThrows(
                UnsupportedRequestException.class, () -> machine.freeze(FreezeRequest.only(FreezeMethod.BUFFER)));
        assertTrue(error.getMessage().contains("'direct'"), error.getMessage());
        assertEquals(1, error.getMessage().lines().count());
        assertEquals(List.of("prepare", "freeze", "thaw"), machine.log);
    }

    @Test
    void aSourceWithoutSnapshotsSaysWhatElseToUse() {
        Machine machine = new Machine();
        UnsupportedRequestException error = assertThrows(
                UnsupportedRequestException.class, () -> machine.freeze(FreezeRequest.only(FreezeMethod.SNAPSHOT)));
        assertTrue(error.getMessage().contains("'buffer' or 'direct'"), error.getMessage());
        assertEquals(List.of(), machine.log);
    }

    @Test
    void aFileHasNothingToFreeze() {
        try (GuestSource source = GuestSource.ofFiles(Guest.builder().build(), "a file")) {
            assertThrows(
                    UnsupportedRequestException.class, () -> source.freeze(FreezeRequest.only(FreezeMethod.DIRECT)));
            assertEquals(0, source.freeze(FreezeRequest.shortest()).vcpus().size());
        }
    }

    @Test
    void cancelledWhileFrozenItRunsAgain() {
        Machine machine = new Machine();
        Progress progress = new Progress() {
            @Override
            public void begin(String phase, long totalBytes) {
                if (machine.frozen) {
                    throw new CancelledException();
                }
            }

            @Override
            public void advance(long bytes) {
                // goes on
            }
        };
        assertThrows(
                CancelledException.class, () -> machine.freeze(FreezeRequest.shortest().withProgress(progress)));
        assertEquals(List.of("prepare", "freeze", "thaw"), machine.log);
    }

    @Test
    void aSourceThatFailsWhileItIsCopiedIsThawed() {
        Machine machine = new Machine() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                if (offset > 4 << 20) {
                    throw new SourceException("gone");
                }
                return super.readAvailable(offset, target);
            }
        };
        assertThrows(SourceException.class, () -> machine.freeze(FreezeRequest.shortest()));
        assertEquals("thaw", machine.log.getLast());
    }
}
