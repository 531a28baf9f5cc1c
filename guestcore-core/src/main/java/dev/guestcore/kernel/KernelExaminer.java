package dev.guestcore.kernel;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.Mapping;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.address.Translation;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.facts.WindowsDumpHeader;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchHit;
import dev.guestcore.search.SearchPattern;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Draws the conclusions. Facts about Linux on x86-64 (documentation of Linux, arch/x86/x86_64/mm): the kernel's image
 * is mapped from 0xffffffff80000000 on, in at most 1 GiB; it is linked for 0xffffffff81000000 unless configured
 * otherwise; KASLR moves it by a multiple of 2 MiB; after booting nothing below its first byte is mapped there. With
 * page-table isolation the table of user mode lies 4 KiB behind the kernel's and maps little of the image.
 */
final class KernelExaminer {

    private static final long IMAGE_WINDOW = KernelTables.WINDOW.first();
    private static final long LINKED_START = 0xffff_ffff_8100_0000L;
    private static final long TWO_MEGABYTES = 1L << 21;
    private static final long SMALLEST_IMAGE = 1L << 21;
    private static final int MOST_BANNERS = 16;

    /** The kernel's variable ends with a line feed and a zero; copies in logs do not. */
    static final SearchPattern BANNER =
            SearchPattern.regex(LinuxBanner.PATTERN, 512);

    private static final long WINDOWS_SHARED_64 = 0xffff_f780_0000_0000L;
    private static final long WINDOWS_SHARED_32 = 0xffdf_0000L;
    private static final int WINDOWS_SYSTEM_ROOT = 0x30;
    private static final int WINDOWS_BUILD = 0x260;
    private static final int WINDOWS_MAJOR = 0x26c;
    private static final int WINDOWS_SHARED_SIZE = 0x274;

    private static final ValueLayout.OfShort LITTLE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LITTLE_INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Guest guest;

    KernelExaminer(Guest guest) {
        this.guest = guest;
    }

    /** Where a vCPU's page tables show something like a kernel's image. */
    private record Image(AddressSpace space, String root, long start, long size, PhysicalAddress physical) {

        long physicalBase() {
            return physical.value() - (start - IMAGE_WINDOW);
        }
    }

    /** VMCOREINFO as a note of the dump has it; such a text has no address. */
    Optional<Derived<VmcoreInfo>> note() {
        return VmcoreInfoChoice.note(guest)
                .map(note -> new Derived<>(
                        note,
                        new VmcoreInfoFacts(note.bytes()).isMade()
                                ? "note of the dump, which Guestcore made from symbols and types in memory"
                                : "note of the dump",
                        Derived.Confidence.CERTAIN));
    }

    /** VMCOREINFO as it lies in memory. */
    static Derived<VmcoreInfo> inMemory(VmcoreInfo info) {
        return new Derived<>(info, place(info), Derived.Confidence.CERTAIN);
    }

    private static String place(VmcoreInfo info) {
        return "text at guest-physical 0x" + Long.toHexString(info.address());
    }

    /** The one that counts, and what speaks for it where there are others. */
    static Derived<VmcoreInfo> chosen(VmcoreInfoChoice choice) {
        VmcoreInfo info = choice.chosen();
        if (!choice.isAmongSeveral()) {
            return inMemory(info);
        }
        String among = place(info) + ", of " + choice.all().size() + " texts at " + choice.places();
        return choice.isConfirmed()
                ? new Derived<>(
                        info,
                        among + ": " + (choice.agreement() == VmcoreInfoChoice.Agreement.VCPU
                                ? "a vCPU's page tables map this kernel"
                                : "its own page tables map this kernel"),
                        Derived.Confidence.CERTAIN)
                : new Derived<>(info, among + ": page tables do not tell which is right", Derived.Confidence.DOUBTFUL);
    }

    /** Everything that follows from registers, page tables and VMCOREINFO. */
    KernelFacts examine(Optional<Derived<VmcoreInfo>> vmcoreInfo, List<VmcoreInfo> others) {
        Optional<VmcoreInfoFields> fields = vmcoreInfo.map(info -> info.value().fields());
        Optional<KernelTables.Own> own = fields.flatMap(known -> KernelTables.named(guest, known));
        List<AddressSpace> spaces = new ArrayList<>();
        Optional<Image> image = guest.architecture().mayBe(Architectures.X86)
                ? findImage(spaces, fields.map(VmcoreInfoFields::encryptionMask).orElse(0L))
                : Optional.empty();
        image = image.or(() -> own.filter(KernelTables.Own::confirmed)
                .flatMap(tables -> imageIn(tables.space(), "the kernel's own page tables")));
        return examine(vmcoreInfo, others, image, own, spaces);
    }

    private KernelFacts examine(
            Optional<Derived<VmcoreInfo>> vmcoreInfo,
            List<VmcoreInfo> others,
            Optional<Image> image,
            Optional<KernelTables.Own> own,
            List<AddressSpace> spaces) {
        Optional<VmcoreInfoFields> fields = vmcoreInfo.map(info -> info.value().fields());
        Optional<SearchHit> banner = image.flatMap(KernelExaminer::bannerIn);
        if (banner.isEmpty() && vmcoreInfo.isEmpty()) {
            return KernelFacts.none().withSystem(windows(spaces).or(this::windowsByNote));
        }
        Optional<Derived<String>> bannerText = banner.map(hit -> new Derived<>(
                text(image.orElseThrow().space().memory(), hit),
                "in the kernel's image at virtual 0x" + Long.toHexString(hit.address()),
                Derived.Confidence.CERTAIN));
        Optional<Derived<String>> release = release(fields, bannerText);
        Optional<Derived<Long>> kaslrOffset = kaslrOffset(fields, image);
        Optional<Derived<Long>> physicalBase = physicalBase(fields, image);
        return new KernelFacts(
                release.map(found -> new Derived<>("Linux " + found.value(), found.how(), found.confidence())),
                bannerText,
                release,
                kaslrOffset,
                physicalBase,
                root(fields, image, own),
                vmcoreInfo,
                others,
                encryptionMask(fields),
                buildId(fields),
                fields.flatMap(known -> KernelPanic.find(
                        known, image.map(Image::space).or(() -> own.map(KernelTables.Own::space)))));
    }

    private static Optional<Derived<Long>> encryptionMask(Optional<VmcoreInfoFields> fields) {
        return fields.map(VmcoreInfoFields::encryptionMask)
                .filter(mask -> mask != 0)
                .map(mask -> new Derived<>(mask, "sme_mask of VMCOREINFO", Derived.Confidence.CERTAIN));
    }

    private static Optional<Derived<String>> buildId(Optional<VmcoreInfoFields> fields) {
        return fields.flatMap(VmcoreInfoFields::buildId)
                .map(id -> new Derived<>(id, "BUILD-ID of VMCOREINFO", Derived.Confidence.CERTAIN));
    }

    /** Adds what a search of all memory finds where page tables did not lead to a banner. */
    KernelFacts searchBanner(KernelFacts facts, Progress progress) {
        boolean windows =
                facts.system().filter(system -> system.value().startsWith("Windows")).isPresent();
        if (facts.banner().isPresent() || windows) {
            return facts;
        }
        List<SearchHit> hits = new ArrayList<>();
        MemorySearch.of(BANNER).limit(MOST_BANNERS).context(0).physical(guest.memory(), hits::add, progress);
        if (hits.isEmpty()) {
            return facts;
        }
        if (facts.vmcoreInfo().isEmpty()) {
            for (SearchHit hit : hits) {
                Optional<KernelTables.Own> own = KernelTables.near(guest, hit.address(), Progress.none());
                Optional<Image> image = own.flatMap(tables -> imageIn(tables.space(), "page tables near the banner"));
                if (image.flatMap(KernelExaminer::bannerIn).isPresent()) {
                    return examine(Optional.empty(), List.of(), image, own, List.of());
                }
            }
        }
        SearchHit hit = hits.getFirst();
        Derived<String> banner = new Derived<>(
                text(guest.memory(), hit),
                "found at guest-physical 0x" + Long.toHexString(hit.address()) + ", not confirmed by page tables",
                Derived.Confidence.LIKELY);
        return facts.withBanner(banner, release(Optional.empty(), Optional.of(banner)));
    }

    /** The vCPU and root whose page tables show most of an image; also collects all address spaces that work. */
    private Optional<Image> findImage(List<AddressSpace> spaces, long encryptionMask) {
        Image best = null;
        for (Vcpu vcpu : guest.vcpus()) {
            AddressSpace space;
            try {
                space = AddressSpace.of(guest, vcpu,
                        KernelTables.masked(TranslationOptions.defaults(), encryptionMask));
            } catch (GuestcoreException e) {
                // Without its registers this vCPU tells nothing; another one may.
                continue;
            }
            spaces.add(space);
            if (space.paging().mode().addressBits() != Long.SIZE) {
                continue;
            }
            String root = "cr3 of vCPU " + vcpu.index();
            best = larger(best, imageIn(space, root));
            if ((space.root().value() & KernelTables.ISOLATION_BIT) != 0) {
                AddressSpace kernelSide = space.withRoot(space.root().value() ^ KernelTables.ISOLATION_BIT);
                best = larger(best, imageIn(kernelSide, root + ", switched from the user's to the kernel's table"));
            }
        }
        return Optional.ofNullable(best);
    }

    private static @Nullable Image larger(
            @Nullable Image left, Optional<Image> right) {
        if (right.isEmpty()) {
            return left;
        }
        return left == null || right.get().size() > left.size() ? right.get() : left;
    }

    private static Optional<Image> imageIn(AddressSpace space, String root) {
        long[] extent = {0, 0, 0};
        space.mappings(KernelTables.WINDOW, KernelTables.MOST_TABLES, mapping -> grow(extent, mapping));
        long start = extent[0];
        long size = extent[1] - start;
        if (start == 0 || size < SMALLEST_IMAGE || start % TWO_MEGABYTES != 0) {
            return Optional.empty();
        }
        return space.guestPhysical(new PhysicalAddress(space.physicalSpace(), extent[2]))
                .map(physical -> new Image(space, root, start, size, physical));
    }

    /** Joins mappings that are neighbours, whatever their rights: first byte, end, physical address of the first. */
    private static void grow(long[] extent, Mapping mapping) {
        if (extent[0] == 0) {
            extent[0] = mapping.range().first();
            extent[1] = mapping.range().last() + 1;
            extent[2] = mapping.physical().value();
        } else if (extent[1] == mapping.range().first()) {
            extent[1] = mapping.range().last() + 1;
        }
    }

    private static Optional<SearchHit> bannerIn(Image image) {
        List<SearchHit> hits = new ArrayList<>();
        // Parts of the image are freed and unmapped after booting, so the whole window behind its start is searched.
        AddressRange range = new AddressRange(image.start(), KernelTables.WINDOW.last());
        MemorySearch.of(BANNER).in(range).limit(1).context(0).virtual(image.space(), hits::add, Progress.none());
        return hits.stream().findFirst();
    }

    /** The banner without its end. It was found in {@code memory}. */
    private static String text(GuestMemory memory, SearchHit hit) {
        byte[] bytes = new byte[hit.length()];
        memory.read(hit.address(), MemorySegment.ofArray(bytes));
        return new String(bytes, StandardCharsets.ISO_8859_1).lines().findFirst().orElse("");
    }

    private static Optional<Derived<String>> release(
            Optional<VmcoreInfoFields> fields, Optional<Derived<String>> banner) {
        Optional<String> stated = fields.flatMap(VmcoreInfoFields::release);
        Optional<String> fromBanner = banner.map(Derived::value).flatMap(LinuxBanner::releaseIn);
        if (stated.isPresent()) {
            boolean agrees = fromBanner.isEmpty() || fromBanner.equals(stated);
            return stated.map(value -> new Derived<>(
                    value,
                    agrees ? "OSRELEASE of VMCOREINFO" : "OSRELEASE of VMCOREINFO; the banner says " + fromBanner.get(),
                    agrees ? Derived.Confidence.CERTAIN : Derived.Confidence.DOUBTFUL));
        }
        return fromBanner.map(
                value -> new Derived<>(value, "banner", banner.orElseThrow().confidence()));
    }

    private static Optional<Derived<Long>> kaslrOffset(Optional<VmcoreInfoFields> fields, Optional<Image> image) {
        OptionalLong stated = stated(fields, VmcoreInfoFields::kernelOffset);
        Optional<Long> seen = image.map(found -> found.start() - LINKED_START);
        return combine(
                stated,
                "KERNELOFFSET of VMCOREINFO",
                seen,
                image.map(found -> "image mapped from 0x" + Long.toHexString(found.start()) + " on by " + found.root()
                        + ", if linked for the usual 0x" + Long.toHexString(LINKED_START))
                        .orElse(""));
    }

    private static Optional<Derived<Long>> physicalBase(Optional<VmcoreInfoFields> fields, Optional<Image> image) {
        OptionalLong stated = stated(fields, VmcoreInfoFields::physicalBase);
        return combine(
                stated,
                "NUMBER(phys_base) of VMCOREINFO",
                image.map(Image::physicalBase),
                image.map(found -> "image at 0x" + Long.toHexString(found.start()) + " leads to " + found.physical()
                        + " by " + found.root())
                        .orElse(""));
    }

    private static OptionalLong stated(
            Optional<VmcoreInfoFields> fields, Function<VmcoreInfoFields, OptionalLong> field) {
        return fields.map(field).orElse(OptionalLong.empty());
    }

    private static Optional<Derived<Long>> combine(
            OptionalLong stated, String statedBy, Optional<Long> seen, String seenBy) {
        if (stated.isPresent()) {
            long value = stated.getAsLong();
            if (seen.isEmpty() || seen.get() == value) {
                String how = seen.isEmpty() ? statedBy : statedBy + ", and " + seenBy;
                return Optional.of(new Derived<>(value, how, Derived.Confidence.CERTAIN));
            }
            String how = statedBy + "; but page tables say " + hex(seen.get()) + " (" + seenBy + ")";
            return Optional.of(new Derived<>(value, how, Derived.Confidence.DOUBTFUL));
        }
        return seen.map(value -> new Derived<>(value, seenBy, Derived.Confidence.LIKELY));
    }

    private static Optional<Derived<PhysicalAddress>> root(
            Optional<VmcoreInfoFields> fields, Optional<Image> image, Optional<KernelTables.Own> own) {
        for (String name : KernelTables.ROOTS) {
            OptionalLong symbol = stated(fields, values -> values.symbol(name));
            if (symbol.isPresent() && image.isPresent()) {
                Translation translation = image.get().space().translate(symbol.getAsLong());
                if (translation.physical().isPresent()) {
                    return translation.physical()
                            .map(found -> new Derived<>(
                                    found,
                                    "SYMBOL(" + name + ") of VMCOREINFO, translated by " + image.get().root(),
                                    Derived.Confidence.CERTAIN));
                }
            }
        }
        return own.map(tables -> new Derived<>(
                tables.root(),
                tables.from() + (tables.confirmed() ? "" : "; but it does not map the kernel where it says"
                        + " it is"),
                tables.confirmed() ? Derived.Confidence.CERTAIN : Derived.Confidence.DOUBTFUL))
                .or(() -> image.map(found -> new Derived<>(
                        found.space().root(),
                        found.root() + ", whose task shares the kernel's mappings",
                        Derived.Confidence.LIKELY)));
    }

    private static String hex(long value) {
        return value < 0 ? "-0x" + Long.toHexString(-value) : "0x" + Long.toHexString(value);
    }

    /** Windows shows every process a page with its version at a fixed address (KUSER_SHARED_DATA of its driver kit). */
    private Optional<Derived<String>> windowsByNote() {
        return guest.facts(ElfFacts.class)
                .flatMap(WindowsDumpHeader::of)
                .map(header -> new Derived<>(
                        header.system(),
                        "Windows crash-dump header in the note VMCOREINFO",
                        Derived.Confidence.CERTAIN));
    }

    private static Optional<Derived<String>> windows(List<AddressSpace> spaces) {
        for (AddressSpace space : spaces) {
            long address = space.paging().mode().addressBits() == Long.SIZE ? WINDOWS_SHARED_64 : WINDOWS_SHARED_32;
            MemorySegment page = MemorySegment.ofArray(new byte[WINDOWS_SHARED_SIZE]);
            if (space.memory().readAvailable(address, page) < page.byteSize()) {
                continue;
            }
            char drive = (char) (page.get(LITTLE_SHORT, WINDOWS_SYSTEM_ROOT) & 0xffff);
            boolean path = drive >= 'A'
                    && drive <= 'Z'
                    && page.get(LITTLE_SHORT, WINDOWS_SYSTEM_ROOT + 2) == ':'
                    && page.get(LITTLE_SHORT, WINDOWS_SYSTEM_ROOT + 4) == '\\';
            int major = page.get(LITTLE_INT, WINDOWS_MAJOR);
            int minor = page.get(LITTLE_INT, WINDOWS_MAJOR + Integer.BYTES);
            if (path && major >= 3 && major < 100 && minor >= 0 && minor < 100) {
                int build = page.get(LITTLE_INT, WINDOWS_BUILD) & 0xffff;
                String version = "Windows " + major + "." + minor + (build == 0 ? "" : " build " + build);
                return Optional.of(new Derived<>(
                        version,
                        "shared user data at virtual 0x" + Long.toHexString(address),
                        Derived.Confidence.LIKELY));
            }
        }
        return Optional.empty();
    }
}
