package dev.guestcore.kernel;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.EncryptionBitException;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86Paging;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchHit;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Through which page tables virtual addresses of a guest are seen, where its registers do not say it all. A kernel's own
 * crash dump has no control registers, an image of memory no registers at all, and that address bits mark encrypted pages
 * stands in no register: then the kernel's own word counts, from VMCOREINFO in the dump or in memory, or page tables that are
 * found near the kernel's banner. What the caller states comes first, what registers say second.
 *
 * @param space the address space
 * @param basis on what it relies beside registers and what was stated, for people; empty if on nothing
 * @param confidence how sure that is
 */
public record AddressSpaceChoice(AddressSpace space, Optional<String> basis, Derived.Confidence confidence) {

    private static final int MOST_BANNERS = 16;

    /** Checks for null. */
    public AddressSpaceChoice {
        Objects.requireNonNull(space);
        Objects.requireNonNull(basis);
        Objects.requireNonNull(confidence);
    }

    /**
     * The address space of a vCPU, or of the kernel where the registers do not lead to one. Searches memory only if neither
     * registers nor a note of the dump tell enough.
     *
     * @param vcpu empty for the kernel's address space in a memory without vCPUs
     * @param stated what counts before anything that is found
     * @param progress of a search of memory; may cancel
     * @throws UnknownRegisterException if nothing tells what the vCPU's registers do not
     * @throws EncryptionBitException if the root has an address bit that no memory has, and nothing tells why
     * @throws UnsupportedRequestException if the guest is not an x86, or a Xen PV guest without its machine frames, or without
     *     vCPUs if memory shows no kernel either
     */
    public static AddressSpaceChoice of(
            Guest guest, Optional<Vcpu> vcpu, TranslationOptions stated, Progress progress) {
        return new Chooser(guest, stated, Optional.of(progress)).choose(vcpu.orElse(null));
    }

    /**
     * The same without searching memory: what neither registers nor a note of the dump tell counts as unknown.
     *
     * @throws dev.guestcore.error.GuestcoreException as {@link #of} throws it
     */
    public static AddressSpaceChoice glance(Guest guest, Optional<Vcpu> vcpu, TranslationOptions stated) {
        return new Chooser(guest, stated, Optional.empty()).choose(vcpu.orElse(null));
    }

    /** What the kernel says of its own page tables. */
    private record Kernel(KernelTables.Own own, String source) {

        String describe() {
            return own.from() + source;
        }
    }

    private static final class Chooser {

        private final Guest guest;
        private final TranslationOptions stated;
        /** Of a search of memory; empty if there must be none. */
        private final Optional<Progress> progress;

        private @Nullable Optional<VmcoreInfoChoice> searched;

        Chooser(Guest guest, TranslationOptions stated, Optional<Progress> progress) {
            this.guest = guest;
            this.stated = stated;
            this.progress = progress;
        }

        AddressSpaceChoice choose(@Nullable Vcpu vcpu) {
            Vcpu known = vcpu == null ? new Vcpu(0, RegisterState.unknown()) : vcpu;
            try {
                return byRegisters(known);
            } catch (UnknownRegisterException e) {
                return byKernel(known)
                        .orElseThrow(() -> vcpu != null
                                ? e
                                : new UnsupportedRequestException(
                                        "this guest has no vCPU, and no kernel was found in its"
                                                + " memory whose page tables could be used; state the page-table root and the"
                                                + " paging mode"));
            }
        }

        private AddressSpaceChoice byRegisters(Vcpu vcpu) {
            AddressSpace space = AddressSpace.of(guest, vcpu, stated);
            if (stated.encryptionMask() != 0
                    || !KernelTables.apply(guest)
                    || space.paging().mode() == X86PagingMode.NONE) {
                return new AddressSpaceChoice(space, Optional.empty(), Derived.Confidence.CERTAIN);
            }
            Optional<VmcoreInfo> note = VmcoreInfoChoice.note(guest);
            long mask = note.map(info -> info.fields().encryptionMask()).orElse(0L);
            if (mask != 0) {
                return encrypted(vcpu, mask, "note of the dump");
            }
            OptionalLong beyond = bitBeyondMemory(space);
            if (beyond.isEmpty()) {
                return new AddressSpaceChoice(space, Optional.empty(), Derived.Confidence.CERTAIN);
            }
            Optional<VmcoreInfo> found = inMemory().map(VmcoreInfoChoice::chosen);
            mask = found.map(info -> info.fields().encryptionMask()).orElse(0L);
            if (mask == 1L << beyond.getAsLong()) {
                return encrypted(vcpu, mask, at(found.orElseThrow()));
            }
            throw new EncryptionBitException(space.paging().root(), (int) beyond.getAsLong());
        }

        private AddressSpaceChoice encrypted(Vcpu vcpu, long mask, String source) {
            AddressSpace space = AddressSpace.of(guest, vcpu, KernelTables.masked(stated, mask));
            String basis = "address bit " + Long.numberOfTrailingZeros(mask)
                    + " marks encrypted pages: sme_mask of VMCOREINFO ("
                    + source + ")";
            return new AddressSpaceChoice(space, Optional.of(basis), Derived.Confidence.CERTAIN);
        }

        /** The one bit of the root for which there is no memory, if without it there is. */
        private OptionalLong bitBeyondMemory(AddressSpace space) {
            long root = space.root().value();
            GuestMemory memory = guest.memory();
            long high = Long.highestOneBit(root);
            boolean beyond = memory.regions().stream()
                    .filter(MemoryRegion::hasContent)
                    .allMatch(region -> Long.compareUnsigned(region.range().last(), high) < 0);
            boolean lies = memory.regionAt(root ^ high).filter(MemoryRegion::hasContent).isPresent();
            return high >>> Integer.SIZE != 0 && beyond && lies
                    ? OptionalLong.of(Long.numberOfTrailingZeros(high))
                    : OptionalLong.empty();
        }

        private static String at(VmcoreInfo info) {
            return "at guest-physical 0x" + Long.toHexString(info.address());
        }

        private Optional<VmcoreInfoChoice> inMemory() {
            Optional<VmcoreInfoChoice> known = progress.isEmpty() ? Optional.empty() : searched;
            if (known == null) {
                progress.get().begin("looking for the kernel", guest.memory().regions().stream()
                        .filter(MemoryRegion::hasContent)
                        .mapToLong(region -> region.range().last() - region.range().first() + 1)
                        .sum());
                known = VmcoreInfoChoice.search(guest, progress.get());
                searched = known;
            }
            return known;
        }

        /** Fills in what neither registers nor the caller say. */
        private Optional<AddressSpaceChoice> byKernel(Vcpu vcpu) {
            return kernel().map(kernel -> {
                Paging own = kernel.own().space().paging();
                PagingMode mode = stated.mode().orElse(own.mode());
                boolean rootKnown = stated.root().isPresent() || vcpu.registers().knows(X86.CR3);
                String how = rootKnown
                        ? stated.mode().isPresent() ? "stated"
                                : "as the kernel's own page tables have it, " + kernel.describe()
                        : "the kernel's own page tables: " + kernel.describe();
                Paging paging = mode instanceof X86PagingMode x86 && own instanceof X86Paging
                        ? x86Paging(x86, vcpu, own, how)
                        : filledIn(mode, own, how);
                return new AddressSpaceChoice(
                        AddressSpace.of(guest.memory(), paging),
                        rootKnown && stated.mode().isPresent() ? Optional.empty() : Optional.of(how),
                        kernel.own().confirmed() ? Derived.Confidence.CERTAIN : Derived.Confidence.LIKELY);
            });
        }

        private Paging x86Paging(X86PagingMode mode, Vcpu vcpu, Paging own, String how) {
            long root = stated.root().orElseGet(() -> vcpu.registers().getOrElse(X86.CR3, own.root()));
            long mask = stated.encryptionMask() != 0 ? stated.encryptionMask() : own.encryptionMask();
            return X86Paging.ofKernel(mode, root, mask, stated.physicalBits(), how);
        }

        private Paging filledIn(PagingMode mode, Paging own, String how) {
            if (!mode.equals(own.mode())) {
                throw new UnsupportedRequestException(
                        "the kernel's page tables are of " + own.mode().title() + " paging, not "
                                + mode.title() + "; state the page-table root with the mode");
            }
            Paging paging = stated.root().isPresent() ? own.withRoot(stated.root().getAsLong()) : own;
            return paging.because(how);
        }

        private Optional<Kernel> kernel() {
            if (KernelTables.hasMachineFrames(guest)) {
                return Optional.empty();
            }
            Optional<Kernel> noted = VmcoreInfoChoice.note(guest).flatMap(info -> named(info, " (note of the dump)"));
            if (noted.filter(kernel -> kernel.own().confirmed()).isPresent()) {
                return noted;
            }
            Optional<Kernel> found = inMemory().map(VmcoreInfoChoice::chosen)
                    .flatMap(info -> named(info, " (" + at(info) + ")"))
                    .filter(kernel -> kernel.own().confirmed());
            return found.or(this::nearBanner).or(() -> noted);
        }

        private Optional<Kernel> named(VmcoreInfo info, String source) {
            return KernelTables.named(guest, info.fields()).map(own -> new Kernel(
                    own,
                    source + (own.confirmed()
                            ? ", which map the kernel where it says it is"
                            : ", which do not map the kernel where it says it is")));
        }

        private Optional<Kernel> nearBanner() {
            List<SearchHit> hits = new ArrayList<>();
            if (progress.isEmpty()) {
                return Optional.empty();
            }
            MemorySearch.of(KernelExaminer.BANNER)
                    .limit(MOST_BANNERS)
                    .context(0)
                    .physical(guest.memory(), hits::add, progress.get());
            for (SearchHit hit : hits) {
                Optional<KernelTables.Own> own = KernelTables.near(guest, hit.address(), Progress.none());
                if (own.isPresent()) {
                    return own
                            .map(found -> new Kernel(found, " at guest-physical 0x" + Long.toHexString(hit.address())));
                }
            }
            return Optional.empty();
        }
    }
}
