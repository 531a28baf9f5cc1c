package dev.guestcore.linux;

import dev.guestcore.GuestMemory;
import dev.guestcore.address.AddressSpace;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * A task of the kernel: a thread of a process, or a kernel thread.
 *
 * @param object its {@code struct task_struct}
 * @param pid its own id; what users call the thread's
 * @param tgid the id of its process; the same as {@code pid} for the first thread, and what users call the process's
 * @param parent {@code tgid} of its parent, 0 for those that the kernel started
 * @param uid the user that it acts as
 * @param gid the group that it acts as
 * @param name at most 15 bytes, of a kernel thread more, which may be control characters; a worker's name has no work queue
 *     here
 * @param state a letter as ps(1) has it: R running or waiting for a CPU, S sleeping, D sleeping without being woken by signals,
 *     I the same of an idle kernel thread, T stopped, t stopped by a debugger, X dead, Z dead and not yet waited for, P parked
 * @param cpu the CPU that it runs on or ran on last
 * @param onCpu whether it is running there
 * @param started nanoseconds from the guest's start to its own, sleep of the guest included; empty if this kernel does not
 *     tell
 * @param kernelThread whether it has no memory of a user
 * @param residentBytes memory that its process has in RAM, also such as others share; empty for one without memory
 * @param seenIn where the kernel knows it
 */
public record Task(
        KernelObject object,
        int pid,
        int tgid,
        int parent,
        OptionalInt uid,
        OptionalInt gid,
        String name,
        char state,
        int cpu,
        boolean onCpu,
        OptionalLong started,
        boolean kernelThread,
        OptionalLong residentBytes,
        Set<Place> seenIn) {

    /** Where the kernel keeps tasks. */
    public enum Place {
        /** The list of all processes, and the lists of their threads. */
        LIST,
        /** The table of all process ids. */
        PID_TABLE,
        /** A CPU runs it, it waits for a CPU, or it is a CPU's idle task. */
        CPU
    }

    /** Copies the set. */
    public Task {
        Objects.requireNonNull(object);
        Objects.requireNonNull(uid);
        Objects.requireNonNull(gid);
        Objects.requireNonNull(name);
        Objects.requireNonNull(started);
        Objects.requireNonNull(residentBytes);
        seenIn = Set.copyOf(seenIn);
    }

    /** Whether it is the first thread of its process. */
    public boolean isLeader() {
        return pid == tgid;
    }

    /** Whether it is what a CPU does when there is nothing to do. */
    public boolean isIdle() {
        return pid == 0;
    }

    /**
     * Whether the kernel knows it in one place and not in another where it should be: a sign of tampering, or of memory that
     * was copied while the guest ran. Idle tasks have no id, and one that is dead may have lost it.
     */
    public boolean isHidden() {
        boolean listed = seenIn.contains(Place.LIST);
        return !isIdle() && state != 'X' && !(listed && seenIn.contains(Place.PID_TABLE));
    }

    /**
     * The words of its command line, from the memory of its process; of a very long one the first 128 KiB
     * ({@link #argumentsCut}).
     *
     * @return empty if it has no such memory, as a kernel thread and a zombie; or if that is swapped out or missing
     */
    public Optional<List<String>> arguments() {
        return UserMemory.of(this).flatMap(UserMemory::arguments);
    }

    /** Whether its command line is longer than what {@link #arguments} gives. */
    public boolean argumentsCut() {
        return UserMemory.of(this).map(UserMemory::argumentsCut).orElse(false);
    }

    /** Whether its environment is longer than what {@link #environment} gives. */
    public boolean environmentCut() {
        return UserMemory.of(this).map(UserMemory::environmentCut).orElse(false);
    }

    /**
     * Its environment when it was started, from the memory of its process: {@code NAME=value}; of a very long one the first
     * 128 KiB ({@link #environmentCut}).
     *
     * @return empty if it has no such memory, as a kernel thread and a zombie; or if that is swapped out or missing
     */
    public Optional<List<String>> environment() {
        return UserMemory.of(this).flatMap(UserMemory::environment);
    }

    /** The memory of its process by the process's own addresses; empty if it has none. */
    public Optional<GuestMemory> memory() {
        return addressSpace().map(AddressSpace::memory);
    }

    /**
     * The page tables of its process, which map the kernel's half of all addresses, too. Where the kernel isolates page tables,
     * these are its own, in which nothing of the process may be executed.
     *
     * @return empty if it has no memory, as a kernel thread and a zombie, or if the page tables cannot be found
     */
    public Optional<AddressSpace> addressSpace() {
        return UserMemory.of(this).map(UserMemory::space);
    }

    /**
     * The same, for whoever cannot go on without.
     *
     * @throws LinuxException if there are none; the message says why
     */
    public AddressSpace requireAddressSpace() {
        return addressSpace().orElseThrow(() -> new LinuxException(object.get("mm").isNull()
                ? "process " + pid + " has no memory of its own: it is a kernel thread, or has ended"
                : "the page tables of process " + pid + " cannot be found: they are damaged or left out of the dump"));
    }
}
