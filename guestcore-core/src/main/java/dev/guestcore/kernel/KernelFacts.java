package dev.guestcore.kernel;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.error.CancelledException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is known about the guest's kernel. What could not be found is empty; facts that only Linux has are empty without a
 * sign of Linux.
 *
 * <p>Immutable; two are equal if all that they say is.
 */
public final class KernelFacts {

    private static final KernelFacts NONE = new KernelFacts(
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            List.of(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty());

    private final Optional<Derived<String>> system;
    private final Optional<Derived<String>> banner;
    private final Optional<Derived<String>> release;
    private final Optional<Derived<Long>> kaslrOffset;
    private final Optional<Derived<Long>> physicalBase;
    private final Optional<Derived<PhysicalAddress>> pageTableRoot;
    private final Optional<Derived<VmcoreInfo>> vmcoreInfo;
    private final List<VmcoreInfo> otherVmcoreInfo;
    private final Optional<Derived<Long>> encryptionMask;
    private final Optional<Derived<String>> buildId;
    private final Optional<Derived<String>> panic;

    KernelFacts(
            Optional<Derived<String>> system,
            Optional<Derived<String>> banner,
            Optional<Derived<String>> release,
            Optional<Derived<Long>> kaslrOffset,
            Optional<Derived<Long>> physicalBase,
            Optional<Derived<PhysicalAddress>> pageTableRoot,
            Optional<Derived<VmcoreInfo>> vmcoreInfo,
            List<VmcoreInfo> otherVmcoreInfo,
            Optional<Derived<Long>> encryptionMask,
            Optional<Derived<String>> buildId,
            Optional<Derived<String>> panic) {
        this.system = Objects.requireNonNull(system);
        this.banner = Objects.requireNonNull(banner);
        this.release = Objects.requireNonNull(release);
        this.kaslrOffset = Objects.requireNonNull(kaslrOffset);
        this.physicalBase = Objects.requireNonNull(physicalBase);
        this.pageTableRoot = Objects.requireNonNull(pageTableRoot);
        this.vmcoreInfo = Objects.requireNonNull(vmcoreInfo);
        this.otherVmcoreInfo = List.copyOf(otherVmcoreInfo);
        this.encryptionMask = Objects.requireNonNull(encryptionMask);
        this.buildId = Objects.requireNonNull(buildId);
        this.panic = Objects.requireNonNull(panic);
    }

    /** Which system it is, with its version ("Linux 6.1.0-18-amd64", "Windows 10.0 build 19045"). */
    public Optional<Derived<String>> system() {
        return system;
    }

    /** Linux: the line that {@code /proc/version} shows. */
    public Optional<Derived<String>> banner() {
        return banner;
    }

    /** Linux: what {@code uname -r} says. */
    public Optional<Derived<String>> release() {
        return release;
    }

    /** Linux on x86-64: bytes by which the kernel runs above the virtual address it was linked for. */
    public Optional<Derived<Long>> kaslrOffset() {
        return kaslrOffset;
    }

    /**
     * Linux on x86-64: {@code phys_base}, guest-physical address of what runs at 0xffffffff80000000; may be negative.
     */
    public Optional<Derived<Long>> physicalBase() {
        return physicalBase;
    }

    /** Linux: table with the kernel's own mappings, in the form of CR3. */
    public Optional<Derived<PhysicalAddress>> pageTableRoot() {
        return pageTableRoot;
    }

    /**
     * Linux: the kernel's note for dump analysers; if memory holds several, the one that agrees with the page tables.
     */
    public Optional<Derived<VmcoreInfo>> vmcoreInfo() {
        return vmcoreInfo;
    }

    /** Linux: other VMCOREINFO texts found in memory, by address. */
    public List<VmcoreInfo> otherVmcoreInfo() {
        return otherVmcoreInfo;
    }

    /** Linux on x86-64: the address bit that marks encrypted pages, if the kernel uses one. */
    public Optional<Derived<Long>> encryptionMask() {
        return encryptionMask;
    }

    /** Linux: the build ID of the kernel's file, in hexadecimal digits. */
    public Optional<Derived<String>> buildId() {
        return buildId;
    }

    /** Linux: how it is known that the kernel has panicked or crashed. */
    public Optional<Derived<String>> panic() {
        return panic;
    }

    /** Where the kernel's file with debug information comes from, if a distribution that is known built it. */
    public Optional<DebugPackage> debugPackage() {
        return release.flatMap(known -> DebugPackage.of(known.value(), banner.map(Derived::value)));
    }

    /** Nothing is known. */
    static KernelFacts none() {
        return NONE;
    }

    /** The same facts of this system. */
    KernelFacts withSystem(Optional<Derived<String>> found) {
        return new KernelFacts(
                found,
                banner,
                release,
                kaslrOffset,
                physicalBase,
                pageTableRoot,
                vmcoreInfo,
                otherVmcoreInfo,
                encryptionMask,
                buildId,
                panic);
    }

    /** The same facts, with a banner and the release that it says, where none is known yet. */
    KernelFacts withBanner(Derived<String> found, Optional<Derived<String>> ofRelease) {
        Optional<Derived<String>> known = release.or(() -> ofRelease);
        return new KernelFacts(
                system.or(() -> known.map(
                        value -> new Derived<>("Linux " + value.value(), value.how(), value.confidence()))),
                Optional.of(found),
                known,
                kaslrOffset,
                physicalBase,
                pageTableRoot,
                vmcoreInfo,
                otherVmcoreInfo,
                encryptionMask,
                buildId,
                panic);
    }

    /**
     * Looks at registers, page tables, the kernel's image and notes of the dump only, which takes milliseconds. Finds no
     * VMCOREINFO that lies in memory.
     */
    public static KernelFacts glance(Guest guest) {
        KernelExaminer examiner = new KernelExaminer(guest);
        return examiner.examine(examiner.note(), List.of());
    }

    /**
     * Looks with a VMCOREINFO that is known already, from a note of the dump or from a file.
     */
    public static KernelFacts with(Guest guest, VmcoreInfo vmcoreInfo) {
        return new KernelExaminer(guest).examine(Optional.of(KernelExaminer.inMemory(vmcoreInfo)), List.of());
    }

    /**
     * Does what {@link #search} does, but gives up when {@code time} has passed.
     *
     * @param progress may cancel
     * @return empty if there was not time enough
     */
    public static Optional<KernelFacts> searchWithin(Guest guest, Duration time, Progress progress) {
        Deadline deadline = new Deadline(System.nanoTime() + time.toNanos(), progress);
        try {
            return Optional.of(search(guest, deadline));
        } catch (CancelledException e) {
            if (deadline.passed) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** Cancels when the time has come. */
    private static final class Deadline implements Progress {

        private final long end;
        private final Progress progress;
        private boolean passed;

        Deadline(long end, Progress progress) {
            this.end = end;
            this.progress = progress;
        }

        @Override
        public void begin(String phase, long totalBytes) {
            progress.begin(phase, totalBytes);
        }

        @Override
        public void advance(long bytes) {
            progress.advance(bytes);
            if (System.nanoTime() - end >= 0) {
                passed = true;
                throw new CancelledException();
            }
        }
    }

    /**
     * Searches all of memory for VMCOREINFO, unless a note of the dump has it that page tables confirm, and for the banner
     * where page tables do not lead to it.
     *
     * @param progress may cancel
     */
    public static KernelFacts search(Guest guest, Progress progress) {
        KernelExaminer examiner = new KernelExaminer(guest);
        Optional<Derived<VmcoreInfo>> note = examiner.note();
        boolean noteCounts =
                note.map(info -> VmcoreInfoChoice.agreement(guest, info.value()) == VmcoreInfoChoice.Agreement.VCPU)
                        .orElse(false);
        Optional<VmcoreInfoChoice> choice =
                noteCounts ? Optional.empty() : VmcoreInfoChoice.searchAll(guest, progress);
        boolean memoryCounts = choice.filter(found -> note.isEmpty()
                || found.agreement().compareTo(VmcoreInfoChoice.agreement(guest, note.get().value())) < 0)
                .isPresent();
        Optional<Derived<VmcoreInfo>> chosen =
                memoryCounts ? choice.map(KernelExaminer::chosen) : note;
        List<VmcoreInfo> others = choice.map(VmcoreInfoChoice::all).orElse(List.of()).stream()
                .filter(info -> chosen.isEmpty() || !Arrays.equals(info.bytes(), chosen.get().value().bytes()))
                .toList();
        return examiner.searchBanner(examiner.examine(chosen, others), progress);
    }

    private List<Object> parts() {
        return List.of(
                system,
                banner,
                release,
                kaslrOffset,
                physicalBase,
                pageTableRoot,
                vmcoreInfo,
                otherVmcoreInfo,
                encryptionMask,
                buildId,
                panic);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof KernelFacts that && parts().equals(that.parts());
    }

    @Override
    public int hashCode() {
        return parts().hashCode();
    }

    @Override
    public String toString() {
        return "KernelFacts" + parts();
    }
}
