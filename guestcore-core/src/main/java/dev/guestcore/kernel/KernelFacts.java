package dev.guestcore.kernel;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.inspect.VmcoreInfo;
import java.util.Objects;
import java.util.Optional;

/**
 * What is known of the guest's kernel. What could not be found is empty; of a guest that shows no sign of Linux nothing
 * is said that holds for Linux only.
 *
 * @param system which system it is, with its version ("Linux 6.1.0-18-amd64", "Windows 10.0 build 19045")
 * @param banner Linux: the line that {@code /proc/version} shows
 * @param release Linux: what {@code uname -r} says
 * @param kaslrOffset Linux on x86-64: bytes by which the kernel runs above the virtual address it was linked for
 * @param physicalBase Linux on x86-64: {@code phys_base}, guest-physical address of what runs at 0xffffffff80000000;
 *     may be negative
 * @param pageTableRoot Linux: table with the kernel's own mappings, in the form of CR3
 * @param vmcoreInfo Linux: the kernel's note for dump analysers
 */
public record KernelFacts(
        Optional<Derived<String>> system,
        Optional<Derived<String>> banner,
        Optional<Derived<String>> release,
        Optional<Derived<Long>> kaslrOffset,
        Optional<Derived<Long>> physicalBase,
        Optional<Derived<PhysicalAddress>> pageTableRoot,
        Optional<Derived<VmcoreInfo>> vmcoreInfo) {

    /** Checks for null. */
    public KernelFacts {
        Objects.requireNonNull(system);
        Objects.requireNonNull(banner);
        Objects.requireNonNull(release);
        Objects.requireNonNull(kaslrOffset);
        Objects.requireNonNull(physicalBase);
        Objects.requireNonNull(pageTableRoot);
        Objects.requireNonNull(vmcoreInfo);
    }

    /**
     * Looks at registers, page tables, the kernel's image and notes of the dump only, which takes milliseconds. Finds no
     * VMCOREINFO that lies in memory.
     */
    public static KernelFacts glance(Guest guest) {
        KernelExaminer examiner = new KernelExaminer(guest);
        return examiner.examine(examiner.note());
    }

    /**
     * Looks with a VMCOREINFO that is known already, from a note of the dump or from a file.
     */
    public static KernelFacts with(Guest guest, VmcoreInfo vmcoreInfo) {
        return new KernelExaminer(guest).examine(Optional.of(KernelExaminer.inMemory(vmcoreInfo)));
    }

    /**
     * Searches all of memory for VMCOREINFO, unless a note of the dump has it, and for the banner where page tables do not lead to it.
     *
     * @param progress may cancel
     */
    public static KernelFacts search(Guest guest, Progress progress) {
        KernelExaminer examiner = new KernelExaminer(guest);
        Optional<Derived<VmcoreInfo>> vmcoreInfo = examiner.note()
                .or(() -> VmcoreInfo.find(guest.memory(), progress).map(KernelExaminer::inMemory));
        return examiner.searchBanner(examiner.examine(vmcoreInfo), progress);
    }
}
