package dev.guestcore.fuzz;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.Translation;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Register;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.facts.DumpFacts;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.WriteOption;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.inspect.HexDump;
import dev.guestcore.inspect.MemoryMap;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.inspect.MemorySummary;
import dev.guestcore.inspect.SvgMap;
import dev.guestcore.inspect.TextMap;
import dev.guestcore.internal.output.ForgetfulSink;
import dev.guestcore.kernel.DebuggerAdvice;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.open.Guests;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Does to a guest what a user would, and checks what must hold for any guest. Domain errors are fine. */
final class GuestWalk {

    private static final int MOST_REGIONS = 24;
    private static final int MOST_RUNS = 24;
    private static final int MOST_VCPUS = 8;
    private static final int PAGE = 4096;

    /** Guests with more memory are not read whole, so that an input stays quick. */
    private static final long MOST_COPIED = 256 << 10;

    private static final List<CoreFormat> WRITABLE =
            Guests.formats().stream().filter(CoreFormat::canWrite).toList();

    private static final Scratch COPY = copy();

    private final Guest guest;
    private final int choice;

    private GuestWalk(Guest guest, int choice) {
        this.guest = guest;
        this.choice = choice;
    }

    /**
     * Uses a guest: always what is cheap, and one of the things that take time.
     *
     * @param choice selects which, and how
     */
    static void over(Guest guest, int choice) {
        GuestWalk walk = new GuestWalk(guest, choice);
        walk.describe();
        attempt(() -> walk.memory(guest.memory()));
        guest.machineMemory().ifPresent(memory -> attempt(() -> walk.memory(memory)));
        switch (choice & 15) {
            case 1, 2 -> attempt(walk::convert);
            case 9, 10 -> attempt(walk::thereAndBack);
            case 3 -> attempt(walk::kernel);
            case 4, 5 -> walk.addresses();
            case 6 -> attempt(walk::pictures);
            case 7 -> attempt(walk::hexDump);
            default -> {}
        }
    }

    private static void attempt(Runnable step) {
        try {
            step.run();
        } catch (GuestcoreException e) {
            requireOneLine(e);
        }
    }

    /** Every error is one line for the user. */
    static void requireOneLine(GuestcoreException e) {
        String message = e.getMessage();
        require(message != null && !message.isBlank(), "an error without a message", e);
        require(message.indexOf('\n') < 0, "an error of several lines", e);
    }

    static void require(boolean holds, String broken, Object found) {
        if (!holds) {
            throw new AssertionError(broken + ": " + found, found instanceof Throwable cause ? cause : null);
        }
    }

    private void describe() {
        guest.findings().forEach(
                finding -> require(finding.message().indexOf('\n') < 0, "a finding of several lines", finding));
        for (DumpFacts facts : guest.facts()) {
            attempt(() -> facts.describe()
                    .forEach((key, value) -> require(value != null, "a fact without value", key)));
        }
        String ignored = guest.provenance().toString();
        for (Vcpu vcpu : guest.vcpus().subList(0, Math.min(guest.vcpus().size(), MOST_VCPUS))) {
            for (Register register : vcpu.registers().known()) {
                int width = vcpu.registers().bytes(register).length;
                boolean fits = register.isScalable() ? width <= register.bits() / 8 : width == register.bits() / 8;
                require(fits, "width of", register);
            }
        }
    }

    private void memory(GuestMemory memory) {
        List<MemoryRegion> regions = memory.regions();
        int count = regions.size();
        for (int i = 0; i < count; i++) {
            if (i == MOST_REGIONS / 2 && count > MOST_REGIONS) {
                i = count - MOST_REGIONS / 2;
            }
            MemoryRegion region = regions.get(i);
            if (i > 0) {
                AddressRange before = regions.get(i - 1).range();
                require(
                        Long.compareUnsigned(before.last(), region.range().first()) < 0,
                        "regions are not ascending: " + before,
                        region);
            }
            require(memory.regionAt(region.range().first()).equals(Optional.of(region)), "not found", region);
            require(memory.regionAt(region.range().last()).equals(Optional.of(region)), "not found", region);
            runs(memory, region);
            page(memory, region.range().first());
            page(memory, region.range().last() & -PAGE);
            page(memory, region.range().first() + (region.range().last() - region.range().first()) / 2);
        }
        page(memory, 0);
        page(memory, -PAGE);
        page(memory, choice);
        summary(memory);
    }

    private static void runs(GuestMemory memory, MemoryRegion region) {
        long at = region.range().first();
        for (int i = 0; i < MOST_RUNS; i++) {
            PageRun run = memory.runAt(at);
            require(run.range().first() == at, "a run that starts elsewhere than at " + Long.toHexString(at), run);
            require(
                    region.hasContent() || run.state() == PageState.ABSENT,
                    "a device with contents: " + region,
                    run);
            if (Long.compareUnsigned(run.range().last(), region.range().last()) >= 0) {
                return;
            }
            at = run.range().last() + 1;
        }
    }

    /** Reads what is to be had of a page, twice. */
    private static void page(GuestMemory memory, long address) {
        PageState state = memory.runAt(address).state();
        byte[] first = new byte[PAGE];
        long count = attemptRead(memory, address, first);
        require(count >= 0 && count <= PAGE, "a count out of bounds", count);
        require(state.isReadable() || count == 0, "bytes at 0x" + Long.toHexString(address) + " that are", state);
        byte[] second = new byte[PAGE];
        Arrays.fill(second, (byte) 0x5a);
        long again = attemptRead(memory, address, second);
        require(again == count, "read again, a page has " + again + " bytes instead of", count);
        require(
                Arrays.equals(first, 0, (int) count, second, 0, (int) count),
                "read again, a page has other bytes",
                Long.toHexString(address));
        if (count > 0 && state == PageState.ZERO) {
            require(first[0] == 0, "a zero page that is not", Long.toHexString(address));
        }
        memory.view(address, 64).ifPresent(view -> {
            require(view.byteSize() == 64, "a view of other size", view);
            MemorySegment copy = MemorySegment.ofArray(first).asSlice(0, 64);
            require(count < 64 || view.mismatch(copy) < 0, "a view differs", view);
        });
    }

    private static long attemptRead(GuestMemory memory, long address, byte[] target) {
        long beforeEnd = Math.min(target.length, address >= -PAGE && address < 0 ? -address : target.length);
        return memory.readAvailable(address, MemorySegment.ofArray(target).asSlice(0, beforeEnd));
    }

    private static void summary(GuestMemory memory) {
        MemorySummary summary = MemorySummary.of(memory, 10_000);
        if (summary.statesComplete()) {
            long states = 0;
            for (PageState state : PageState.values()) {
                states = add(states, summary.bytes(state));
            }
            long kinds = add(summary.bytes(MemoryRegion.Kind.RAM), summary.bytes(MemoryRegion.Kind.ROM));
            require(states == kinds, "states sum to " + states + ", regions to " + kinds, summary);
        }
    }

    private static long add(long left, long right) {
        return left > Long.MAX_VALUE - right ? Long.MAX_VALUE : left + right;
    }

    private boolean isSmall() {
        List<MemoryRegion> regions = guest.memory().regions();
        if (regions.size() > 512) {
            return false;
        }
        long bytes = 0;
        for (MemoryRegion region : regions) {
            if (region.hasContent()) {
                long length = region.range().last() - region.range().first();
                if (length < 0 || length >= MOST_COPIED) {
                    return false;
                }
                bytes += length + 1;
            }
        }
        return bytes <= MOST_COPIED;
    }

    private void pictures() {
        if (guest.memory().regions().size() > 4096) {
            return;
        }
        // The scan starts threads, which is slow.
        MemoryMap map = isSmall() && (choice & 0xf00) == 0x100
                ? MemoryMap.of(guest, MemoryScan.run(guest.memory(), Progress.none()))
                : MemoryMap.of(guest);
        boolean unicode = (choice & 16) != 0;
        String text = TextMap.render(map, new TextMap.Style(choice >>> 12 & 0xff, false, unicode));
        require(text.indexOf('\u001b') < 0, "a control sequence in a map", text);
        if ((choice & 32) != 0) {
            SvgMap.render(map);
        }
    }

    private void hexDump() {
        if (guest.memory().regions().isEmpty()) {
            return;
        }
        try {
            long first = guest.memory().regions().getFirst().range().first();
            HexDump.write(guest.memory(), first, 256, new StringBuilder());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void kernel() {
        boolean thorough = isSmall() && (choice & 16) != 0;
        KernelFacts facts = thorough ? KernelFacts.search(guest, Progress.none()) : KernelFacts.glance(guest);
        String ignored = facts.toString();
        DebuggerAdvice.of(guest, "guest", facts, Guests.debuggers(guest)).forEach(Object::toString);
    }

    private void addresses() {
        for (Vcpu vcpu : guest.vcpus().subList(0, Math.min(guest.vcpus().size(), 2))) {
            attempt(() -> {
                AddressSpace space = AddressSpace.of(guest, vcpu);
                long address = vcpu.registers().getOrElse(X86.RIP, choice);
                Translation translation = space.translate(address);
                require(
                        translation.isMapped() == translation.physical().isPresent(),
                        "mapped or not",
                        translation);
                space.memory().readAvailable(address, MemorySegment.ofArray(new byte[64]));
                space.mappings(new AddressRange(0, -1L), 16, mapping -> {});
            });
        }
    }

    private void convert() {
        if (!isSmall()) {
            return;
        }
        CoreFormat format = WRITABLE.get(Integer.remainderUnsigned(choice >>> 8, WRITABLE.size()));
        List<Map<String, String>> settings = settings(format);
        Map<String, String> options = settings.get(Integer.remainderUnsigned(choice >>> 16, settings.size()));
        WritePlan plan = format.writer(options).plan(guest);
        plan.losses().forEach(Object::toString);
        ForgetfulSink sink = new ForgetfulSink();
        WriteReport report = plan.write(sink, Progress.none());
        require(report.bytes() <= plan.size(), "more was written than planned: " + plan.size(), report);
        require(
                sink.position() == report.bytes() || format.name().equals("kdump"),
                "other bytes than reported: " + sink.position(),
                report);
    }

    /** Writes the guest, opens what was written: it holds every byte that could be read. */
    private void thereAndBack() {
        CoreFormat format = WRITABLE.get(Integer.remainderUnsigned(choice >>> 8, WRITABLE.size()));
        // A raw image needs its map, which a stream does not carry.
        if (!isSmall() || format.name().equals("raw")) {
            return;
        }
        List<Map<String, String>> settings = settings(format);
        Map<String, String> options = settings.get(Integer.remainderUnsigned(choice >>> 16, settings.size()));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        format.writer(options).write(guest, Channels.newChannel(bytes), Progress.none());
        Path copy;
        try {
            copy = COPY.with(bytes.toByteArray());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try (Guest reopened = Guests.open(copy)) {
            require(reopened.provenance().format().equals(format.name()), "opened as", reopened.provenance());
            for (MemoryRegion region : guest.memory().regions()) {
                if (region.hasContent()) {
                    compare(region.range(), reopened.memory(), format.name() + options);
                }
            }
        } catch (GuestcoreException e) {
            throw new AssertionError("what was written as " + format.name() + options + " cannot be opened", e);
        }
    }

    private void compare(AddressRange range, GuestMemory reopened, String how) {
        for (long at = range.first();;) {
            long last = Long.compareUnsigned(at | PAGE - 1, range.last()) < 0 ? at | PAGE - 1 : range.last();
            byte[] expected = new byte[(int) (last - at + 1)];
            int count = (int) guest.memory().readAvailable(at, MemorySegment.ofArray(expected));
            if (count == expected.length) {
                byte[] found = new byte[count];
                long back = reopened.readAvailable(at, MemorySegment.ofArray(found));
                require(
                        back == count && Arrays.equals(expected, found),
                        "lost by " + how + " at 0x" + Long.toHexString(at) + ": " + count + " bytes, found",
                        back);
            }
            if (last == range.last()) {
                return;
            }
            at = last + 1;
        }
    }

    private static Scratch copy() {
        try {
            return new Scratch("copy");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What a writer can be told: nothing, each option alone. */
    static List<Map<String, String>> settings(CoreFormat format) {
        List<Map<String, String>> settings = new ArrayList<>();
        settings.add(Map.of());
        for (WriteOption option : format.writeOptions()) {
            List<String> values = option.values().isEmpty() ? List.of("true") : option.values();
            values.forEach(value -> settings.add(Map.of(option.name(), value)));
        }
        return settings;
    }
}
