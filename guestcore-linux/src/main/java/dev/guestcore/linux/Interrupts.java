package dev.guestcore.linux;

import dev.guestcore.linux.symbols.SymbolOffset;
import dev.guestcore.linux.types.KernelType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * The interrupts of a guest, as {@code /proc/interrupts} has them. Sources: {@code include/linux/irqdesc.h} (descriptors lie in a
 * maple tree since 6.5, in a radix tree or xarray before; {@code kstat_irqs} points
 * to a structure since 6.10), {@code irq.h}, {@code interrupt.h}, {@code kernel/irq/proc.c}, {@code arch/x86/kernel/irq.c} and
 * {@code arch/x86/include/asm/hardirq.h} of Linux.
 */
final class Interrupts {

    private static final String DESCRIPTOR = "struct irq_desc";

    /** _IRQ_HIDDEN: not shown by the kernel either. */
    private static final long HIDDEN = 1 << 20;

    private static final int MOST_HANDLERS = 256;

    /** Interrupts times processors. */
    private static final long MOST_COUNTERS = 1 << 23;

    /** Interrupts of the processor itself: the counter, the kernel's letters, and what it is for. */
    private static final List<Own> OWN = List.of(
            new Own("__nmi_count", "NMI", "Non-maskable interrupts"),
            new Own("apic_timer_irqs", "LOC", "Local timer interrupts"),
            new Own("irq_spurious_count", "SPU", "Spurious interrupts"),
            new Own("apic_perf_irqs", "PMI", "Performance monitoring interrupts"),
            new Own("apic_irq_work_irqs", "IWI", "IRQ work interrupts"),
            new Own("icr_read_retry_count", "RTR", "APIC ICR read retries"),
            new Own("x86_platform_ipis", "PLT", "Platform interrupts"),
            new Own("irq_resched_count", "RES", "Rescheduling interrupts"),
            new Own("irq_call_count", "CAL", "Function call interrupts"),
            new Own("irq_tlb_count", "TLB", "TLB shootdowns"),
            new Own("irq_thermal_count", "TRM", "Thermal event interrupts"),
            new Own("irq_threshold_count", "THR", "Threshold APIC interrupts"),
            new Own("irq_deferred_error_count", "DFR", "Deferred Error APIC interrupts"),
            new Own("mce_exception_count", "MCE", "Machine check exceptions"),
            new Own("mce_poll_count", "MCP", "Machine check polls"),
            new Own("irq_hv_callback_count", "HYP", "Hypervisor callback interrupts"),
            new Own("irq_hv_reenlightenment_count", "HRE", "Hyper-V reenlightenment interrupts"),
            new Own("hyperv_stimer0_count", "HVS", "Hyper-V stimer0 interrupts"),
            new Own("kvm_posted_intr_ipis", "PIN", "Posted-interrupt notification event"),
            new Own("kvm_posted_intr_nested_ipis", "NPI", "Nested posted-interrupt event"),
            new Own("kvm_posted_intr_wakeup_ipis", "PIW", "Posted-interrupt wakeup event"));

    /**
     * One of them.
     *
     * @param counter a member of {@code irq_cpustat_t}, or a per-CPU variable
     */
    private record Own(String counter, String name, String about) {}

    /** The kernel's counters have 32 bits. */
    private static final long COUNTER = 0xffff_ffffL;

    private final Linux linux;
    private final List<Integer> cpus;
    private final long chained;

    private Interrupts(Linux linux) {
        this.linux = linux;
        this.cpus = Cpus.of(linux).present();
        this.chained = linux.symbols().find("chained_action").map(symbol -> symbol.address()).orElse(0L);
    }

    /**
     * The interrupts that have a handler or ever came, by number; then those of the processor's own that
     * ever came.
     *
     * @throws LinuxException if the kernel has no description of its types, or nothing leads to its interrupts
     */
    static Walk<Interrupt> of(Linux linux) {
        return new Interrupts(linux).read();
    }

    private Walk<Interrupt> read() {
        Walk<Interrupt> devices = descriptors().flatMap(this::device).about("interrupts");
        Walk<Interrupt> own = Walk.of(OWN).flatMap(this::own).about("interrupts of the processor");
        List<Interrupt> all = new ArrayList<>(devices.items());
        all.addAll(own.items());
        List<String> problems = new ArrayList<>(devices.problems());
        problems.addAll(own.problems());
        return new Walk<>(all, devices.complete() && own.complete(), problems);
    }

    /** A descriptor and its number. */
    private record Numbered(long number, KernelObject descriptor) {}

    private Walk<Numbered> descriptors() {
        Walk<Numbered> all = linux.findVariable("sparse_irqs")
                .map(KernelObject::mapleTree)
                .or(() -> linux.findVariable("irq_desc_tree").map(KernelObject::xarray))
                .orElseThrow(() -> new LinuxException(
                        "this kernel has neither 'sparse_irqs' nor 'irq_desc_tree'; without one of"
                                + " them interrupts are not found"))
                .map(entry -> new Numbered(entry.first(), linux.object(DESCRIPTOR, entry.entry())));
        if ((long) all.size() * cpus.size() > MOST_COUNTERS) {
            throw new LinuxException("there would be " + all.size() + " interrupts and " + cpus.size() + " processors");
        }
        return all;
    }

    private List<Interrupt> device(Numbered numbered) {
        KernelObject descriptor = numbered.descriptor;
        if (descriptor.getInt("irq_data.irq") != numbered.number) {
            throw new LinuxException("what stands for interrupt " + numbered.number + " at 0x"
                    + Long.toHexString(descriptor.address()) + " is none, or that of another number");
        }
        Map<Integer, Long> counts = counts(descriptor.get("kstat_irqs"));
        boolean came = counts.values().stream().anyMatch(count -> count != 0);
        long action = descriptor.getLong("action");
        boolean shown = (descriptor.getLong("status_use_accessors") & HIDDEN) == 0
                && (came || action != 0 && action != chained);
        if (!shown) {
            return List.of();
        }
        KernelObject data = descriptor.get("irq_data");
        return List.of(new Interrupt(
                descriptor,
                Long.toString(numbered.number),
                counts,
                data.get("chip").target().map(chip -> chip.get("name").isNull() ? "-" : chip.get("name").string()),
                data.get("domain").isNull() ? OptionalLong.empty() : OptionalLong.of(data.getLong("hwirq")),
                descriptor.get("name").isNull() ? Optional.empty() : Optional.of(descriptor.get("name").string()),
                action == chained ? List.of() : handlers(descriptor.get("action")),
                ""));
    }

    private Map<Integer, Long> counts(KernelObject perCpu) {
        Map<Integer, Long> counts = new TreeMap<>();
        for (int cpu : cpus) {
            counts.put(cpu, perCpu.isNull() ? 0 : number(perCpu.dereferencePerCpu(cpu)));
        }
        return counts;
    }

    private static long number(KernelObject counter) {
        boolean structure = counter.type().resolved().kind() == KernelType.Kind.STRUCT;
        return (structure ? counter.getLong("cnt") : counter.asLong()) & COUNTER;
    }

    private List<Interrupt.Handler> handlers(KernelObject first) {
        List<Interrupt.Handler> handlers = new ArrayList<>();
        Optional<KernelObject> action = first.target();
        while (action.isPresent()) {
            if (handlers.size() == MOST_HANDLERS) {
                throw new LinuxException(
                        "the list of handlers at 0x" + Long.toHexString(first.address()) + " does not end");
            }
            handlers.add(handler(action.get()));
            action = action.get().get("next").target();
        }
        return handlers;
    }

    private static Interrupt.Handler handler(KernelObject action) {
        KernelObject first = action.get("handler");
        // Of one that is handled in a thread alone, the kernel puts a function of its own here.
        boolean threaded = !action.get("thread_fn").isNull()
                && first.symbol().filter(symbol -> symbol.symbol().name().equals("irq_default_primary_handler"))
                        .isPresent();
        KernelObject function = threaded ? action.get("thread_fn") : first;
        return new Interrupt.Handler(
                action.get("name").isNull() ? "" : action.get("name").string(),
                function.asLong(),
                function.symbol().map(SymbolOffset::toString),
                action.get("thread").target().map(thread -> OptionalLong.of(thread.getLong("pid")))
                        .orElse(OptionalLong.empty()));
    }

    private List<Interrupt> own(Own own) {
        KernelObject all = linux.variable("irq_stat");
        Optional<KernelObject> counter =
                all.has(own.counter) ? Optional.of(all.get(own.counter)) : linux.findVariable(own.counter);
        if (counter.isEmpty()) {
            return List.of();
        }
        Map<Integer, Long> counts = new TreeMap<>();
        for (int cpu : cpus) {
            counts.put(cpu, number(counter.get().perCpu(cpu)));
        }
        boolean came = counts.values().stream().anyMatch(count -> count != 0);
        return came
                ? List.of(new Interrupt(counter.get().perCpu(cpus.getFirst()), own.name, counts, Optional.empty(),
                        OptionalLong.empty(), Optional.empty(), List.of(), own.about))
                : List.of();
    }
}
