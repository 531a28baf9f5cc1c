package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.kernel.LinuxBanner;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Which kernel it is, as its own variables say. What cannot be read is unknown. */
final class KernelIdentity {

    private static final int LONGEST_BANNER = 512;
    private static final int CHUNK = 1 << 20;
    private static final Pattern VARIABLE = Pattern.compile(LinuxBanner.PATTERN);

    /** The kernel makes it of one page at most. */
    private static final int MOST_VMCOREINFO = 4096;

    /** Notes of a kernel take less than 1 KiB. */
    private static final int MOST_NOTES = 1 << 16;

    /** Of {@code struct new_utsname}. */
    private static final int UTS_NAME = 65;

    private static final Pattern RELEASE = Pattern.compile("\\d+\\.\\d+[!-~]{0,60}");

    private static final int NOTE_HEADER = 3 * Integer.BYTES;
    private static final int BUILD_ID = 3;
    private static final int GNU = 0x00554e47;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final GuestMemory memory;
    private final KernelSymbols symbols;
    private final AddressRange image;

    KernelIdentity(GuestMemory memory, KernelSymbols symbols, AddressRange image) {
        this.memory = memory;
        this.symbols = symbols;
        this.image = image;
    }

    /** Where its symbol is, or else the first one in the image that ends as the variable does. */
    Optional<String> banner() {
        OptionalLong symbol = symbols.find("linux_banner").stream().mapToLong(Symbol::address).findFirst();
        return (symbol.isPresent() ? symbol : searchBanner()).stream()
                .boxed()
                .flatMap(address -> read(() -> memory.readString(address, LONGEST_BANNER).strip()).stream())
                .filter(text -> LinuxBanner.releaseIn(text).isPresent())
                .findFirst();
    }

    private OptionalLong searchBanner() {
        long[] first = {0};
        byte[] chunk = new byte[CHUNK + LONGEST_BANNER];
        for (long at = image.first(); image.contains(at) && first[0] == 0; at += CHUNK) {
            int size = (int) memory.readAvailable(at, MemorySegment.ofArray(chunk));
            Matcher matcher = VARIABLE.matcher(new String(chunk, 0, size, StandardCharsets.ISO_8859_1));
            if (matcher.find()) {
                first[0] = at + matcher.start();
            }
        }
        return first[0] == 0 ? OptionalLong.empty() : OptionalLong.of(first[0]);
    }

    Optional<String> release() {
        return banner().flatMap(LinuxBanner::releaseIn).or(this::releaseOfNames);
    }

    /** {@code init_uts_ns}: behind a counter, names of 65 bytes each, of which the first is that of the system. */
    private Optional<String> releaseOfNames() {
        return at("init_uts_ns", start -> start).flatMap(start -> Stream.of(0, Integer.BYTES, Long.BYTES)
                .map(counter -> start + counter)
                .filter(names -> read(() -> memory.readString(names, UTS_NAME)).equals(Optional.of("Linux")))
                .flatMap(names -> read(() -> memory.readString(names + 2 * UTS_NAME, UTS_NAME)).stream())
                .filter(release -> RELEASE.matcher(release).matches())
                .findFirst());
    }

    /** How far the image was moved: as VMCOREINFO says, or else as it is usual. */
    long slide(LongSupplier usual) {
        OptionalLong stated = at("vmcoreinfo_data", pointer -> memory.readLong(pointer))
                .flatMap(address -> read(() -> memory.readString(address, MOST_VMCOREINFO)))
                .map(text -> VmcoreInfoFields.parse(text).kernelOffset())
                .orElse(OptionalLong.empty());
        return stated.isPresent() ? stated.getAsLong() : usual.getAsLong();
    }

    Optional<String> buildId() {
        Optional<Symbol> start = symbols.find("__start_notes");
        Optional<Symbol> stop = symbols.find("__stop_notes");
        if (start.isEmpty() || stop.isEmpty()) {
            return Optional.empty();
        }
        long size = stop.get().address() - start.get().address();
        return size < NOTE_HEADER || size > MOST_NOTES
                ? Optional.empty()
                : read(() -> {
                    byte[] notes = new byte[(int) size];
                    memory.read(start.get().address(), notes);
                    return MemorySegment.ofArray(notes);
                }).flatMap(KernelIdentity::buildId);
    }

    private static Optional<String> buildId(MemorySegment notes) {
        long at = 0;
        while (at + NOTE_HEADER <= notes.byteSize()) {
            long nameSize = Integer.toUnsignedLong(notes.get(INT, at));
            long size = Integer.toUnsignedLong(notes.get(INT, at + Integer.BYTES));
            int type = notes.get(INT, at + 2 * Integer.BYTES);
            long name = at + NOTE_HEADER;
            long content = name + align(nameSize);
            if (content + size > notes.byteSize()) {
                return Optional.empty();
            }
            if (type == BUILD_ID && nameSize == Integer.BYTES && notes.get(INT, name) == GNU && size <= 64) {
                return Optional
                        .of(HexFormat.of().formatHex(notes.asSlice(content, size).toArray(ValueLayout.JAVA_BYTE)));
            }
            at = content + align(size);
        }
        return Optional.empty();
    }

    private static long align(long size) {
        return size + Integer.BYTES - 1 & -Integer.BYTES;
    }

    private <T> Optional<T> at(String name, Function<Long, T> reader) {
        return symbols.find(name).flatMap(symbol -> read(() -> reader.apply(symbol.address())));
    }

    private static <T> Optional<T> read(Supplier<T> reader) {
        try {
            return Optional.of(reader.get());
        } catch (GuestcoreException e) {
            return Optional.empty();
        }
    }
}
