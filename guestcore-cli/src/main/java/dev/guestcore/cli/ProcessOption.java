package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.linux.KernelObject;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.Tasks;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The option that names a process of a Linux guest, through whose page tables addresses are seen. */
final class ProcessOption {

    @Option(
            names = "--pid",
            paramLabel = "<pid>",
            description = "See the addresses of this process of a Linux guest, through its own page tables.")
    @Nullable
    Integer pid;

    @Mixin
    CacheOption cache = new CacheOption();

    /** Whether it was given. */
    boolean isGiven() {
        return pid != null;
    }

    /** Refuses what makes no sense before anything is opened. */
    void check(Verb verb, AddressSpaceOptions others) {
        if (pid != null && (others.cpu != null || others.tables.isGiven())) {
            throw verb.usage(
                    "--pid names the page tables; leave out --cpu, --root, --paging, --c-bit and --physical-bits");
        }
    }

    /**
     * The page tables of the process.
     *
     * @throws LinuxException if no Linux kernel is found, or no such process, or if it has no memory
     */
    AddressSpace of(Guest guest, String source, Verb verb) {
        int number = pid == null ? 0 : pid;
        return find(linux(guest, source, verb).tasks(), number, source).requireAddressSpace();
    }

    /**
     * The kernel of the guest.
     *
     * @throws LinuxException if none is found
     */
    Linux linux(Guest guest, String source, Verb verb) {
        Linux linux;
        try (ShownProgress shown = verb.progress(ProgressMode.AUTO)) {
            linux = Linux.of(guest, shown, cache.of(source));
        }
        linux.problems().forEach(problem -> verb.afterwards("guestcore: " + Printable.of(problem)));
        return linux;
    }

    /** Where the kernel describes the memory of a process; empty if it has none, as a kernel thread and a zombie. */
    static Optional<Long> memory(Task task) {
        return task.object().get("mm").target().map(KernelObject::address);
    }

    /** A task by the number that users call it by. */
    static Task find(Tasks tasks, int pid, String source) {
        return tasks.find(pid).orElseThrow(() -> new LinuxException(
                "there is no process " + pid + " in the guest; " + Text.program() + " ps " + Text.quoted(source)
                        + " shows those that there are"));
    }

    /** Why there is nothing to show of a process. */
    static String withoutMemory(int pid) {
        return "process " + pid + " has no memory of its own: it is a kernel thread, or has ended";
    }

    /** Where to look why an address of the process gives nothing. */
    String advice(String source) {
        return "; " + Text.program() + " maps " + Text.quoted(source) + " " + pid
                + " shows the addresses that the process has; what it never used or what is swapped out is not in memory";
    }

    /** The half of all addresses that a process has for itself; the other is the kernel's. */
    static AddressRange half(AddressSpace space) {
        return new AddressRange(0, space.trees().getFirst().lastOfLowerHalf());
    }
}
