package dev.guestcore.linux;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.kernel.AddressSpaceChoice;
import dev.guestcore.kernel.KernelFacts;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The kernel's log: what dmesg(1) shows, of every kernel since 3.5. Where the log lies and what it is made of is known from the
 * kernel's types, or from VMCOREINFO, which names all that is needed. Immutable; reads from the guest's memory when asked. Safe
 * for use by several threads at once.
 */
public final class KernelLog {

    /** How a log in memory is read. */
    interface Reader {

        /** From the oldest record on. */
        Stream<LogEntry> entries();
    }

    private final Reader reader;
    private final StructureFacts facts;
    private final Optional<AddressSpace> space;

    private KernelLog(Reader reader, StructureFacts facts, Optional<AddressSpace> space) {
        this.reader = Objects.requireNonNull(reader);
        this.facts = Objects.requireNonNull(facts);
        this.space = Objects.requireNonNull(space);
    }

    /**
     * The log of a kernel.
     *
     * @throws LinuxException if it cannot be found
     */
    static KernelLog of(Linux linux) {
        AddressSpace space = linux.image().space();
        return linux.types()
                .map(types -> StructureFacts.of(linux.symbols(), types))
                .flatMap(facts -> of(facts, linux.memory(), Optional.of(space)))
                .or(() -> byVmcoreInfo(linux.guest(), Optional.of(space), Progress.none()))
                .orElseThrow(KernelLog::notFound);
    }

    /**
     * The log of a guest in whose memory nothing but VMCOREINFO may tell of the kernel: no symbols, no types.
     *
     * @param progress of a search of memory; may cancel
     * @throws LinuxException if it cannot be found
     */
    public static KernelLog byVmcoreInfo(Guest guest, Progress progress) {
        return byVmcoreInfo(guest, Optional.empty(), progress).orElseThrow(KernelLog::notFound);
    }

    private static LinuxException notFound() {
        return new LinuxException(
                "the kernel's log was not found: neither the kernel's types nor VMCOREINFO tell where it lies;"
                        + " 'guestcore search' finds a text that it should hold");
    }

    private static Optional<KernelLog> byVmcoreInfo(Guest guest, Optional<AddressSpace> kernel, Progress progress) {
        KernelFacts glance = KernelFacts.glance(guest);
        KernelFacts found = glance.vmcoreInfo().isPresent() ? glance : KernelFacts.search(guest, progress);
        return found.vmcoreInfo().flatMap(info -> {
            StructureFacts facts = StructureFacts.of(info.value().fields());
            AddressSpace space = kernel.orElseGet(() -> space(guest, found, progress));
            return of(facts, new CachedMemory(space.memory()), Optional.of(space));
        });
    }

    private static AddressSpace space(Guest guest, KernelFacts facts, Progress progress) {
        AddressSpace space = AddressSpaceChoice.of(
                guest, guest.vcpus().stream().findFirst(), TranslationOptions.defaults(), progress)
                .space();
        return facts.pageTableRoot().map(root -> space.withRoot(root.value().value())).orElse(space);
    }

    /** The log where these facts say that it is. */
    static Optional<KernelLog> of(StructureFacts known, GuestMemory memory, Optional<AddressSpace> space) {
        StructureFacts facts = known.remembered();
        return PrintkRing.find(facts, memory)
                .map(Reader.class::cast)
                .or(() -> PrintkBuffer.find(facts, memory))
                .map(reader -> new KernelLog(reader, facts, space));
    }

    /**
     * The same log in the memory of the same guest at another time, without looking for anything again.
     *
     * @param later the same live guest, frozen again
     * @throws LinuxException if it is no longer there, as after a reboot
     */
    public KernelLog again(Guest later) {
        AddressSpace then = AddressSpace.of(later.memory(), space.orElseThrow().paging());
        return of(facts, new CachedMemory(then.memory()), Optional.of(then)).orElseThrow(KernelLog::notFound);
    }

    /** What the log holds, the oldest record first. A long log is read as the stream is consumed. */
    public Stream<LogEntry> stream() {
        return reader.entries();
    }

    /** The last trouble that the kernel reported; empty if it reported none, or if that was overwritten. */
    public Optional<Trouble> lastTrouble() {
        return Trouble.last(records());
    }

    /** Its records, the oldest first, without saying what is missing. */
    public Stream<LogRecord> records() {
        return stream().filter(LogRecord.class::isInstance).map(LogRecord.class::cast);
    }
}
