package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelTypes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/**
 * Looks for the list of modules where no symbol names it: the only head of a list in the kernel's image whose entries lie outside
 * of it, lead back to it, and are modules: they have a name, and their entry in sysfs leads back to them.
 */
final class ModuleListSearch {

    private static final int CHUNK = 1 << 20;
    private static final int PAGE = Architecture.SMALLEST_PAGE;
    private static final int LONGEST_NAME = 64;
    private static final int MOST_MODULES = 4096;
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_-]{1,55}");
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final GuestMemory memory;
    private final AddressRange image;
    private final long list;
    private final long name;
    private final long self;

    private ModuleListSearch(GuestMemory memory, AddressRange image, long list, long name, long self) {
        this.memory = memory;
        this.image = image;
        this.list = list;
        this.name = name;
        this.self = self;
    }

    /**
     * Where the head of the list is; empty if there is none, or more than one.
     *
     * @param memory by virtual address
     * @param image of the kernel, by virtual address
     */
    static OptionalLong find(GuestMemory memory, AddressRange image, KernelTypes types) {
        try {
            Optional<Long> list = offset(types, "list");
            Optional<Long> name = offset(types, "name");
            Optional<Long> self = offset(types, "mkobj.mod");
            return list.isEmpty() || name.isEmpty() || self.isEmpty()
                    ? OptionalLong.empty()
                    : new ModuleListSearch(memory, image, list.get(), name.get(), self.get()).find();
        } catch (GuestcoreException e) {
            return OptionalLong.empty();
        }
    }

    private static Optional<Long> offset(KernelTypes types, String member) {
        return types.find("struct module").flatMap(type -> type.member(member)).map(KernelMember::offset);
    }

    private OptionalLong find() {
        OptionalLong only = OptionalLong.empty();
        MemorySegment chunk = MemorySegment.ofArray(new byte[CHUNK]);
        long at = image.first() & -Long.BYTES;
        while (image.contains(at)) {
            long size = memory.readAvailable(at, chunk) & -Long.BYTES;
            for (long word = 0; word + Long.BYTES < size; word += Long.BYTES) {
                long next = chunk.get(LONG, word);
                long previous = chunk.get(LONG, word + Long.BYTES);
                if (isOutside(next) && isOutside(previous) && isHead(at + word, next)) {
                    if (only.isPresent() && only.getAsLong() != at + word) {
                        return OptionalLong.empty();
                    }
                    only = OptionalLong.of(at + word);
                }
            }
            // What was needed only to boot is not mapped any more.
            at = size < CHUNK ? at + size + PAGE & -PAGE : at + size - Long.BYTES;
        }
        return only;
    }

    private boolean isOutside(long address) {
        return address < 0 && address % Long.BYTES == 0 && !image.contains(address);
    }

    /** Whether a walk over the list comes back to its head, and all entries have the name of a module. */
    private boolean isHead(long head, long first) {
        try {
            long before = head;
            long at = first;
            for (int number = 0; number < MOST_MODULES; number++) {
                if (at == head) {
                    return number > 0;
                }
                if (!isOutside(at)
                        || memory.readLong(at + Long.BYTES) != before
                        || memory.readLong(at - list + self) != at - list
                        || !NAME.matcher(memory.readString(at - list + name, LONGEST_NAME)).matches()) {
                    return false;
                }
                before = at;
                at = memory.readLong(at);
            }
            return false;
        } catch (GuestcoreException e) {
            return false;
        }
    }
}
