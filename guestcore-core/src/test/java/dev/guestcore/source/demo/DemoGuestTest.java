package dev.guestcore.source.demo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.open.Guests;
import dev.guestcore.source.GuestSource;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class DemoGuestTest {

    private static final ValueLayout.OfLong U64 =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    @Test
    @Tag("slow")
    void thousandCapturesAreEachOfOneInstant() {
        Set<Long> instructions = new HashSet<>();
        Set<List<RegisterState>> states = new HashSet<>();
        try (GuestSource source = Guests.source("demo:vcpus=3")) {
            for (int capture = 0; capture < 1000; capture++) {
                LockSupport.parkNanos(1000L * (capture % 50));
                try (Guest guest = source.freeze()) {
                    assertEquals(List.of(), DemoInvariant.check(guest), "capture " + capture);
                    states.add(guest.vcpus().stream().map(Vcpu::registers).toList());
                    guest.vcpus().forEach(vcpu -> instructions.add(vcpu.registers().get(X86.RIP)));
                }
            }
        }
        assertEquals(1000, states.size(), "every capture finds the guest elsewhere");
        assertTrue(instructions.size() >= 5, "stops at many instructions, not at one: " + instructions);
    }

    @Test
    void withoutFreezingTheInvariantBreaks() {
        try (DemoMachine machine = DemoMachine.start("")) {
            boolean broken = false;
            for (int attempt = 0; attempt < 10_000 && !broken; attempt++) {
                try (Guest guest = machine.withoutFreezing()) {
                    broken = !DemoInvariant.check(guest).isEmpty();
                }
            }
            assertTrue(broken);
        }
    }

    @Test
    void seesASingleWrongWordOrRegister() {
        try (Guest guest = Guests.open("demo:vcpus=1")) {
            assertEquals(List.of(), DemoInvariant.check(guest));
            RegisterState registers = guest.vcpus().getFirst().registers();
            Guest wrong = Guest.builder()
                    .vcpu(registers.toBuilder()
                            .set(X86.RBX, registers.get(X86.RBX) + 1)
                            .build())
                    .build(guest.memory());
            assertTrue(DemoInvariant.check(wrong).getFirst().startsWith("vCPU 0: r"));
            Guest unknown = Guest.builder()
                    .vcpu(registers.toBuilder().forget(X86.RDI).build())
                    .build(guest.memory());
            assertTrue(DemoInvariant.check(unknown).contains("vCPU 0: register rdi is unknown"));
        }
        assertEquals("there is no vCPU", DemoInvariant.check(Guest.builder().build()).getFirst());
    }

    @Test
    void everyVcpuMakesProgressBetweenFreezes() {
        try (GuestSource source = Guests.source("demo:vcpus=4,ram=4M")) {
            assertEquals(4, source.vcpuCount());
            List<Vcpu> before = vcpus(source);
            List<Vcpu> after = before;
            for (int i = 0; i < 5; i++) {
                LockSupport.parkNanos(20_000_000);
                after = vcpus(source);
            }
            for (int vcpu = 0; vcpu < 4; vcpu++) {
                assertNotEquals(before.get(vcpu).registers(), after.get(vcpu).registers(), "vCPU " + vcpu);
                assertTrue(after.get(vcpu).registers().get(X86.RAX) > before.get(vcpu).registers().get(X86.RAX));
            }
        }
    }

    private static List<Vcpu> vcpus(GuestSource source) {
        try (Guest guest = source.freeze()) {
            return guest.vcpus();
        }
    }

    @Test
    void nothingMovesWhileFrozen() {
        try (Guest guest = Guests.open("demo:")) {
            byte[] first = new byte[4096];
            byte[] second = new byte[4096];
            guest.memory().read(DemoLayout.ownPage(0, 0), MemorySegment.ofArray(first));
            MemorySegment view =
                    guest.memory().view(DemoLayout.COUNTER, 8).orElseThrow();
            long counter = view.get(U64, 0);
            LockSupport.parkNanos(20_000_000);
            guest.memory().read(DemoLayout.ownPage(0, 0), MemorySegment.ofArray(second));
            assertArrayEquals(first, second);
            assertEquals(counter, view.get(U64, 0));
            assertTrue(guest.freeze().orElseThrow().wasRunning());
            assertTrue(guest.freeze().orElseThrow().elapsed().compareTo(Duration.ofMillis(20)) >= 0);
        }
    }

    @Test
    void theClockStopsAtTheThaw() {
        Guest guest = Guests.open("demo:");
        guest.close();
        Duration frozen = guest.freeze().orElseThrow().elapsed();
        LockSupport.parkNanos(2_000_000);
        assertEquals(frozen, guest.freeze().orElseThrow().elapsed());
        assertThrows(IllegalStateException.class, () -> guest.memory().runAt(0));
        assertThrows(IllegalStateException.class, () -> guest.memory().view(0, 1));
        assertThrows(
                IllegalStateException.class, () -> guest.memory().readAvailable(0, MemorySegment.ofArray(new byte[1])));
    }

    @Test
    void closingTheSourceWhileFrozenEndsAll() {
        GuestSource source = Guests.source("demo:");
        Guest guest = source.freeze();
        source.close();
        assertThrows(IllegalStateException.class, () -> guest.memory().runAt(0));
        guest.close();
        source.close();
        assertThrows(SourceException.class, source::freeze);
        assertTrue(Thread.getAllStackTraces().keySet().stream()
                .noneMatch(thread -> thread.getName().startsWith("guestcore-demo")));
    }

    @Test
    void oneFreezeAtATime() {
        try (GuestSource source = Guests.source("demo:");
                Guest guest = source.freeze()) {
            assertThrows(SourceException.class, source::freeze);
            assertEquals(List.of(), DemoInvariant.check(guest));
        }
    }

    @Test
    void twoMachinesDoNotTouchEachOther() {
        try (GuestSource one = Guests.source("demo:");
                GuestSource other = Guests.source("demo:vcpus=1")) {
            try (Guest frozen = one.freeze()) {
                List<Vcpu> before = vcpus(other);
                LockSupport.parkNanos(20_000_000);
                assertNotEquals(before, vcpus(other));
                assertEquals(List.of(), DemoInvariant.check(frozen));
            }
            try (Guest guest = other.freeze()) {
                assertEquals(List.of(), DemoInvariant.check(guest));
                assertEquals(1, guest.vcpus().size());
            }
        }
    }

    @Test
    void memoryIsThatOfAPersonalComputer() {
        try (GuestSource source = Guests.source("demo:ram=64M");
                Guest guest = source.freeze()) {
            assertEquals(source.regions(), guest.memory().regions());
            List<String> map = guest.memory().regions().stream()
                    .map(region -> region.range() + " " + region.kind())
                    .toList();
            assertEquals(
                    List.of(
                            "0x0-0x9ffff RAM",
                            "0xa0000-0xbffff DEVICE",
                            "0xf0000-0xfffff ROM",
                            "0x100000-0x3ffffff RAM",
                            "0xfec00000-0xfec00fff DEVICE",
                            "0xfee00000-0xfee00fff DEVICE",
                            "0xffff0000-0xffffffff ROM",
                            "0x100000000-0x1003fffff RAM"),
                    map);
            assertTrue(text(guest, DemoLayout.BANNER).startsWith("Guestcore demo guest"));
            assertTrue(text(guest, DemoLayout.NEEDLE).contains("needle"));
        }
    }

    private static String text(Guest guest, long address) {
        byte[] bytes = new byte[64];
        guest.memory().read(address, MemorySegment.ofArray(bytes));
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Test
    void failingPagesAreUnreadableAndNothingElse() {
        try (Guest guest = Guests.open("demo:fail=0x5000,fail=0x123000")) {
            assertEquals(
                    new PageRun(new AddressRange(0x5000, 0x5fff), PageState.UNREADABLE), guest.memory().runAt(0x5000));
            assertEquals(0x4fff, guest.memory().runAt(0).range().last());
            assertEquals(PageState.PRESENT, guest.memory().runAt(0x6000).state());
            byte[] bytes = new byte[0x2000];
            assertEquals(0x1000, guest.memory().readAvailable(0x122000, MemorySegment.ofArray(bytes)));
            assertEquals(
                    PageState.UNREADABLE,
                    assertThrows(
                            MemoryAccessException.class,
                            () -> guest.memory().read(0x5ff8, MemorySegment.ofArray(bytes)))
                            .state());
            assertTrue(guest.memory().view(0x4000, 0x1001).isEmpty());
            assertFalse(guest.memory().view(0x4000, 0x1000).isEmpty());
            assertEquals(List.of(), DemoInvariant.check(guest));
        }
    }

    /** What the registers say about the machine must be what lies in memory. */
    @Test
    void tablesInMemoryAgreeWithTheRegisters() {
        try (Guest guest = Guests.open("demo:vcpus=2")) {
            for (Vcpu vcpu : guest.vcpus()) {
                RegisterState registers = vcpu.registers();
                assertEquals(0x80000001L, registers.get(X86.CR0) & 0x80000001L);
                assertEquals(0x20, registers.get(X86.CR4) & 0x20);
                assertEquals(0x500, registers.get(X86.EFER) & 0x500);
                for (MemoryRegion region : guest.memory().regions()) {
                    long first = region.range().first();
                    long last = region.range().last();
                    assertEquals(first, walk(guest, registers.get(X86.CR3), first), region.name());
                    assertEquals(last, walk(guest, registers.get(X86.CR3), last), region.name());
                }
                for (String name : List.of("cs", "ds", "es", "fs", "gs", "ss", "tr")) {
                    assertDescriptor(guest, registers, name);
                }
                assertEquals(
                        registers.get(X86.RSP), u64(guest, registers.get(X86.TR_BASE) + 4), "stack for interrupts");
                long gate = u64(guest, registers.get(X86.IDTR_BASE) + 6 * 16);
                assertEquals(0x8e, gate >>> 40 & 0xff);
                assertEquals(registers.get(X86.CS), gate >>> 16 & 0xffff);
            }
        }
    }

    private static void assertDescriptor(Guest guest, RegisterState registers, String name) {
        long selector = registers.get(X86.ofLabel(name).orElseThrow());
        assertTrue(selector + 7 <= registers.get(X86.GDTR_LIMIT));
        long descriptor = u64(guest, registers.get(X86.GDTR_BASE) + selector);
        long attributes = descriptor >>> 40 & 0xf0ff;
        long limit = descriptor & 0xffff | descriptor >>> 32 & 0xf0000;
        long base = descriptor >>> 16 & 0xffffff | descriptor >>> 32 & 0xff000000L;
        assertEquals(attributes, registers.get(X86.ofLabel(name + ".attributes").orElseThrow()), name);
        assertEquals(
                (attributes & 0x8000) != 0 ? limit << 12 | 0xfff : limit,
                registers.get(X86.ofLabel(name + ".limit").orElseThrow()),
                name);
        assertEquals(base, registers.get(X86.ofLabel(name + ".base").orElseThrow()), name);
    }

    private static long walk(Guest guest, long table, long address) {
        for (int shift = 39; shift >= 12; shift -= 9) {
            long entry = u64(guest, (table & 0xffffffffff000L) + (address >>> shift & 0x1ff) * 8);
            assertEquals(1, entry & 1, "entry for " + Long.toHexString(address) + " at level " + shift);
            table = entry & 0xffffffffff000L;
            if (shift == 12 || (entry & 0x80) != 0) {
                return table | address & (1L << shift) - 1;
            }
        }
        throw new AssertionError();
    }

    private static long u64(Guest guest, long address) {
        byte[] bytes = new byte[8];
        guest.memory().read(address, MemorySegment.ofArray(bytes));
        return MemorySegment.ofArray(bytes).get(U64, 0);
    }

    @Test
    void refusesOptionsThatItDoesNotHave() {
        String message = refused("demo:cpus=2");
        assertTrue(message.contains("'cpus=2'") && message.contains("vcpus=N"), message);
        assertTrue(refused("demo:vcpus=17").contains("from 1 to 16, found 17"));
        assertTrue(refused("demo:vcpus=").contains("expected a number"));
        assertTrue(refused("demo:ram=1M").contains("from 4194304"));
        assertTrue(refused("demo:ram=0x400001").contains("multiple of 4096"));
        assertTrue(refused("demo:ram=99999999999999999999").contains("expected a number"));
        assertTrue(refused("demo:fail=0xa0000").contains("a hole or a device"));
        assertTrue(refused("demo:,").contains("no option ''"));
    }

    private static String refused(String location) {
        return assertThrows(UnsupportedRequestException.class, () -> Guests.source(location))
                .getMessage();
    }
}
