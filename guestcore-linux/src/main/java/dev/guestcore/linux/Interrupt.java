package dev.guestcore.linux;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * An interrupt of a guest: a line of {@code /proc/interrupts}.
 *
 * @param object its {@code struct irq_desc}; of one that the processor itself makes, the first CPU's counter
 * @param name its number, or the three letters that the kernel has for one of the processor's own: {@code LOC}
 * @param counts how often each CPU handled it, ascending by number of the CPU, modulo 2<sup>32</sup>
 * @param chip the controller that it comes through, as the kernel calls it; empty for one of the processor's own
 * @param hardwareNumber its number in that controller
 * @param flow how it is handled: {@code edge}, {@code fasteoi}; empty if the kernel does not name it
 * @param handlers who handles it; empty if nobody does, and for one of the processor's own
 * @param about what one of the processor's own is for; else empty
 */
public record Interrupt(
        KernelObject object,
        String name,
        Map<Integer, Long> counts,
        Optional<String> chip,
        OptionalLong hardwareNumber,
        Optional<String> flow,
        List<Handler> handlers,
        String about) {

    /**
     * What handles an interrupt.
     *
     * @param name the device, or whoever asked for the interrupt; which may be control characters
     * @param function where its code is
     * @param symbol the name of that; empty if no symbol is known
     * @param thread the id of the thread that does the rest, if there is one
     */
    public record Handler(String name, long function, Optional<String> symbol, OptionalLong thread) {

        /** Checks for null. */
        public Handler {
            Objects.requireNonNull(name);
            Objects.requireNonNull(symbol);
            Objects.requireNonNull(thread);
        }
    }

    /** Copies the lists. */
    public Interrupt {
        Objects.requireNonNull(object);
        Objects.requireNonNull(name);
        counts = Collections.unmodifiableMap(new TreeMap<>(counts));
        Objects.requireNonNull(chip);
        Objects.requireNonNull(hardwareNumber);
        Objects.requireNonNull(flow);
        handlers = List.copyOf(handlers);
        Objects.requireNonNull(about);
    }
}
