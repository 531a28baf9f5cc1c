package dev.guestcore.linux;

import static dev.guestcore.linux.MadeUpLinux.BASE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.linux.types.BtfBuilder;
import dev.guestcore.linux.types.BtfBuilder.Member;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Interrupts in a kernel for one processor that a test wrote: whole, and damaged. */
class InterruptsTest {

    private static final long TREE = BASE + 0x100;
    private static final long DESCRIPTOR = BASE + 0x200;
    private static final long COUNTS = BASE + 0x300;
    private static final long CHIP = BASE + 0x400;
    private static final long ACTION = BASE + 0x500;
    private static final long OTHER = BASE + 0x600;
    private static final long OWN = BASE + 0x700;
    private static final long TEXTS = BASE + 0x1000;
    private static final long HANDLER = BASE + 0x8000;
    private static final long THREADED = BASE + 0x9000;
    private static final long TASK = BASE + 0xa000;
    private static final long NOWHERE = 0x4141_4141_4141_0000L;

    private static BtfBuilder types() {
        BtfBuilder btf = BtfBuilder.kernel();
        int number = btf.integer("long unsigned int", 8, 0);
        int integer = btf.integer("unsigned int", 4, 0);
        int character = btf.integer("char", 1, 1);
        int any = btf.pointer(0);
        int text = btf.pointer(character);
        btf.struct("xa_node", 48, Member.at(0, "shift", character), Member.at(8, "slots", btf.array(any, integer, 4)));
        btf.struct("xarray", 16, Member.at(8, "xa_head", any));
        int chip = btf.struct("irq_chip", 8, Member.at(0, "name", text));
        int data = btf.struct("irq_data", 32, Member.at(4, "irq", integer), Member.at(8, "hwirq", number),
                Member.at(16, "chip", btf.pointer(chip)), Member.at(24, "domain", any));
        int task = btf.struct("task_struct", 8, Member.at(0, "pid", integer));
        int taskPointer = btf.pointer(task);
        int actionPointer = btf.pointer(btf.next() + 1);
        btf.struct("irqaction", 48, Member.at(0, "handler", any), Member.at(8, "next", actionPointer),
                Member.at(16, "thread_fn", any), Member.at(24, "thread", taskPointer), Member.at(32, "name", text));
        btf.struct("irq_desc", 96, Member.at(0, "irq_data", data), Member.at(32, "kstat_irqs", btf.pointer(integer)),
                Member.at(40, "action", actionPointer), Member.at(48, "status_use_accessors", integer),
                Member.at(56, "name", text));
        int own = btf.typedef("irq_cpustat_t", btf.struct("", 8, Member.at(4, "apic_timer_irqs", integer)));
        btf.variable("irq_stat", own);
        return btf;
    }

    /** Interrupt 0, which a thread handles and, shared, a function. */
    private static MadeUpLinux guest() {
        return new MadeUpLinux()
                .symbol("irq_desc_tree", 'b', TREE)
                .symbol("irq_stat", 'D', OWN)
                .symbol("irq_default_primary_handler", 't', HANDLER)
                .symbol("device_thread", 't', THREADED)
                .put64(TREE + 8, DESCRIPTOR)
                .put64(DESCRIPTOR + 8, 7)
                .put64(DESCRIPTOR + 16, CHIP)
                .put64(DESCRIPTOR + 24, CHIP)
                .put64(DESCRIPTOR + 32, COUNTS)
                .put64(DESCRIPTOR + 40, ACTION)
                .put64(DESCRIPTOR + 56, TEXTS)
                .put32(COUNTS, -1)
                .put64(CHIP, TEXTS + 16)
                .put64(ACTION, HANDLER)
                .put64(ACTION + 8, OTHER)
                .put64(ACTION + 16, THREADED)
                .put64(ACTION + 24, TASK)
                .put64(ACTION + 32, TEXTS + 32)
                .put64(OTHER, THREADED + 4)
                .put32(TASK, 77)
                .put32(OWN + 4, 5)
                .text(TEXTS, "edge")
                .text(TEXTS + 16, "IO-APIC")
                .text(TEXTS + 32, "device");
    }

    private static Walk<Interrupt> read(MadeUpLinux guest) {
        return Interrupts.of(guest.with(types()));
    }

    @Test
    void devicesComeBeforeTheProcessorsOwn() {
        Walk<Interrupt> all = read(guest());
        assertEquals(List.of(), all.problems());
        assertEquals(2, all.size());
        Interrupt device = all.items().getFirst();
        assertEquals("0", device.name());
        assertEquals(Map.of(0, 0xffff_ffffL), device.counts());
        assertEquals(Optional.of("IO-APIC"), device.chip());
        assertEquals(OptionalLong.of(7), device.hardwareNumber());
        assertEquals(Optional.of("edge"), device.flow());
        assertEquals(
                List.of(
                        new Interrupt.Handler("device", THREADED, Optional.of("device_thread"), OptionalLong.of(77)),
                        new Interrupt.Handler("", THREADED + 4, Optional.of("device_thread+0x4"),
                                OptionalLong.empty())),
                device.handlers());
        Interrupt own = all.items().getLast();
        assertEquals("LOC", own.name());
        assertEquals(Map.of(0, 5L), own.counts());
    }

    @Test
    void whatNeverCameAndNobodyHandlesIsNotShown() {
        assertEquals(1, read(guest().put64(DESCRIPTOR + 40, 0).put32(COUNTS, 0)).size());
        assertEquals(1, read(guest().put32(DESCRIPTOR + 48, 1 << 20)).size());
        assertEquals(1, read(guest().put32(OWN + 4, 0)).size());
    }

    @Test
    void damageIsLeftOutAndSaid() {
        for (MadeUpLinux damaged : List.of(
                // Handlers in a circle; a handler, a counter and a chip nowhere; a descriptor of another number.
                guest().put64(OTHER + 8, ACTION),
                guest().put64(ACTION + 8, NOWHERE),
                guest().put64(DESCRIPTOR + 32, NOWHERE),
                guest().put64(DESCRIPTOR + 16, NOWHERE),
                guest().put32(DESCRIPTOR + 4, 1))) {
            Walk<Interrupt> left = read(damaged);
            assertEquals(List.of("LOC"), left.stream().map(Interrupt::name).toList());
            assertEquals(1, left.problems().size());
            assertTrue(left.problems().getFirst().startsWith("interrupts: "), left.problems()::toString);
        }
    }

    @Test
    void aKernelWithoutATableIsRefused() {
        MadeUpLinux without = new MadeUpLinux().symbol("irq_stat", 'D', OWN);
        assertThrows(LinuxException.class, () -> read(without));
    }
}
