package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.arch.Architectures;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.linux.symbols.ExportedSymbols;
import dev.guestcore.linux.symbols.Kallsyms;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.MergedSymbols;
import dev.guestcore.linux.symbols.ModuleTables;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchPattern;
import java.io.Serial;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds the running kernel by its tables of symbols, and takes the first one whose page tables map it where it lies: memory may
 * hold those of a kernel that ran before, of a nested guest, or of a file in the page cache.
 */
final class KernelFinder {

    /** Where the image is mapped on x86-64 (documentation of Linux, arch/x86/x86_64/mm). */
    private static final AddressRange WINDOW = X86Image.WINDOW;

    /** What the kernel is linked for begins so far above that unless configured otherwise. */
    private static final long LINKED_OFFSET = X86Image.LINKED - WINDOW.first();

    /** More are not looked at again if no tables are whole. */
    private static final int MOST_DAMAGED = 8;

    private final Guest guest;
    private final Progress progress;
    private final KernelCache cache;
    private final Set<Long> tried = new HashSet<>();
    private @Nullable String miss;
    /** Finds around which there is a table of tokens, but no whole tables of symbols. */
    private final List<Long> damaged = new ArrayList<>();

    KernelFinder(Guest guest, Progress progress, KernelCache cache) {
        this.cache = cache;
        this.guest = guest;
        this.progress = progress;
    }

    /** Why none was found, for the user. */
    String why() {
        if (miss != null) {
            return miss;
        }
        if (!guest.architecture().mayBe(Architectures.X86) && !guest.architecture().mayBe(Architectures.ARM64)) {
            return "no Linux kernel found; kernels of " + guest.architecture().title() + " cannot be read yet";
        }
        OptionalLong tokens = damaged.isEmpty()
                ? OptionalLong.empty()
                : Kallsyms.tokensAround(guest.memory(), damaged.getFirst());
        return tokens.isPresent()
                ? "no Linux kernel found: the table of its symbols (kallsyms) at guest-physical 0x"
                        + Long.toHexString(tokens.getAsLong())
                        + " is damaged, or parts of it are missing; without it only the log may be found, so take another dump"
                : "no Linux kernel found: memory holds no table of kernel symbols (kallsyms); it was left out of the dump, is"
                        + " damaged or encrypted, or the guest does not run Linux";
    }

    Optional<Linux> find() {
        return remembered()
                .or(() -> likelyPlace().flatMap(this::search))
                .or(() -> search(new AddressRange(0, -1L)))
                .or(this::findDamaged);
    }

    /** The kernel where it was found before, if it is there. */
    private Optional<Linux> remembered() {
        OptionalLong place = cache.place();
        return place.isEmpty()
                ? Optional.empty()
                : Kallsyms.around(guest.memory(), place.getAsLong()).flatMap(this::check);
    }

    /** If no tables are whole, those that are damaged in part may do. */
    private Optional<Linux> findDamaged() {
        for (long hit : damaged) {
            Optional<Linux> linux = Kallsyms.aroundDamaged(guest.memory(), hit).flatMap(this::check);
            if (linux.isPresent()) {
                return linux;
            }
        }
        return Optional.empty();
    }

    /** Where registers and notes of the dump say that the image lies. */
    private Optional<AddressRange> likelyPlace() {
        if (guest.architecture() != Architectures.X86) {
            return Optional.empty();
        }
        KernelFacts facts = KernelFacts.glance(guest);
        return facts.physicalBase().flatMap(base -> {
            long slide = facts.kaslrOffset().map(offset -> offset.value()).orElse(0L);
            long start = base.value() + LINKED_OFFSET + slide;
            return start < 0 ? Optional.empty() : Optional.of(AddressRange.ofSize(start, X86Image.LARGEST));
        });
    }

    private Optional<Linux> search(AddressRange range) {
        try {
            MemorySearch.of(SearchPattern.bytes(Kallsyms.searched()))
                    .context(0)
                    .in(range)
                    .physical(guest.memory(), hit -> look(hit.address()), progress);
            return Optional.empty();
        } catch (Found found) {
            return Optional.of(found.linux);
        }
    }

    /** Stops the search when the kernel is found. Never leaves this class. */
    private static final class Found extends GuestcoreException {

        @Serial
        private static final long serialVersionUID = 1L;

        private final transient Linux linux;

        Found(Linux linux) {
            super("found");
            this.linux = linux;
        }
    }

    private void look(long hit) {
        if (!tried.add(hit)) {
            return;
        }
        Optional<Kallsyms> kallsyms = Kallsyms.around(guest.memory(), hit);
        if (kallsyms.isEmpty()
                && damaged.size() < MOST_DAMAGED
                && Kallsyms.tokensAround(guest.memory(), hit).isPresent()) {
            damaged.add(hit);
        }
        Optional<Linux> linux = kallsyms.flatMap(this::check);
        if (linux.isPresent()) {
            cache.remember(hit);
            throw new Found(linux.get());
        }
    }

    private Optional<Linux> check(Kallsyms kallsyms) {
        // A bare image of memory does not say what it is of.
        boolean wide = guest.architecture().mayBe(Architectures.X86);
        boolean arm = guest.architecture().mayBe(Architectures.ARM64);
        if (!wide && !arm) {
            miss = "the symbols of a Linux kernel lie at guest-physical 0x" + Long.toHexString(kallsyms.place())
                    + ", but kernels of " + guest.architecture().title() + " cannot be read yet";
            return Optional.empty();
        }
        Optional<ImagePlace> place = (wide ? new X86Image(guest, kallsyms).find() : Optional.<ImagePlace>empty())
                .or(() -> arm ? new Arm64Image(guest, kallsyms).find() : Optional.empty());
        if (place.isEmpty()) {
            miss = "the symbols of a Linux kernel lie at guest-physical 0x" + Long.toHexString(kallsyms.place())
                    + ", but no page tables of x86-64 or arm64 were found that map them: it is not the kernel that runs, or"
                    + " its tables are missing or of another processor";
        }
        return place.map(found -> linux(kallsyms, found));
    }

    /** How far KASLR moved it, if VMCOREINFO does not say so. */
    private long usualSlide(ImagePlace place) {
        if (isWide(place)) {
            return place.range().first() - X86Image.LINKED;
        }
        return KernelFacts.glance(guest).vmcoreInfo()
                .map(info -> info.value().fields().kernelOffset())
                .orElse(OptionalLong.empty())
                .orElse(0);
    }

    private static boolean isWide(ImagePlace place) {
        return place.space().paging().mode().architecture() == Architectures.X86;
    }

    private Linux linux(Kallsyms kallsyms, ImagePlace place) {
        GuestMemory memory = new CachedMemory(place.space().memory());
        KernelSymbols symbols = complete(kallsyms, place);
        KernelIdentity identity = new KernelIdentity(memory, symbols, place.range());
        KernelImage image = new KernelImage(
                place.range().first(),
                place.physical(),
                place.range().size(),
                identity.slide(() -> usualSlide(place)),
                identity.banner(),
                identity.release(),
                identity.buildId(),
                place.space(),
                place.how());
        return new Linux(guest, image, memory, withModules(symbols, image, memory), lost(kallsyms));
    }

    /** Adds the list of modules where no symbol names it, if it can be found. */
    private KernelSymbols withModules(KernelSymbols symbols, KernelImage image, GuestMemory memory) {
        if (symbols.find("modules").isPresent()) {
            return symbols;
        }
        OptionalLong head = new KernelTypesReader(guest.memory(), image, memory, symbols)
                .read()
                .map(types -> ModuleListSearch.find(memory, image.range(), types))
                .orElse(OptionalLong.empty());
        if (head.isEmpty()) {
            return symbols;
        }
        ModuleTables more = new ModuleTables();
        more.module("", List.of());
        more.add(head.getAsLong(), 'D', "modules".getBytes(StandardCharsets.US_ASCII));
        KernelSymbols found = more.symbols();
        return new MergedSymbols(symbols, () -> found);
    }

    /** What is lost of the symbols, for the user. */
    private static List<String> lost(Kallsyms kallsyms) {
        return kallsyms.lost() == 0
                ? List.of()
                : List.of(kallsyms.lost() + " of " + (kallsyms.size() + kallsyms.lost())
                        + " symbols of the kernel are lost:"
                        + " their table (kallsyms) at guest-physical 0x" + Long.toHexString(kallsyms.place())
                        + " is damaged, or parts of it are missing");
    }

    /** Adds what the kernel exports where its table names code only, or is damaged. */
    private KernelSymbols complete(Kallsyms kallsyms, ImagePlace place) {
        KernelSymbols symbols = kallsyms.symbols(place.shift(), place.range());
        if (kallsyms.lost() == 0 && symbols.find("linux_banner").isPresent()) {
            return symbols;
        }
        long delta = place.range().first() - place.physical();
        ModuleTables more = new ModuleTables();
        more.module("", List.of());
        ExportedSymbols.find(guest.memory(), place.physical(), place.range().size()).forEach((name, physical) -> {
            if (symbols.find(name).isEmpty()) {
                more.add(physical + delta, 'D', name.getBytes(StandardCharsets.US_ASCII));
            }
        });
        KernelSymbols exported = more.symbols();
        return new MergedSymbols(symbols, () -> exported);
    }
}
