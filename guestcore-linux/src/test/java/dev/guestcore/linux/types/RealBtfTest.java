package dev.guestcore.linux.types;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The types of a real kernel, found in the memory of a guest. */
@Tag("slow")
class RealBtfTest {

    @Test
    void findsWhatTheGuestItselfShows() throws IOException {
        try (FileChannel file = FileChannel.open(Samples.core("linux/m510"));
                Arena arena = Arena.ofShared()) {
            MemorySegment ram = file.map(FileChannel.MapMode.READ_ONLY, 0, file.size(), arena);
            Guest guest = Guest.builder().ram(0x4000_0000, ram).build();
            List<BtfFinder.Place> found =
                    BtfFinder.search(guest.memory(), new AddressRange(0, -1L)).toList();
            assertEquals(1, found.size(), found::toString);
            Btf types = found.getFirst().types();
            assertArrayEquals(Samples.truth("linux/m510", "gt/btf_vmlinux"),
                    types.bytes().toArray(ValueLayout.JAVA_BYTE));
            assertEquals(8, types.pointerSize());
            assertEquals("char [16]", types.get("task_struct").member("comm").orElseThrow().type().toString());
            assertEquals("struct task_struct *",
                    types.get("struct rq").member("curr").orElseThrow().type().toString());
            // Every name and member can be read.
            long members = types.stream()
                    .filter(type -> type.kind() == KernelType.Kind.STRUCT || type.kind() == KernelType.Kind.UNION)
                    .mapToLong(type -> type.members().stream().filter(member -> !member.type().toString().isEmpty())
                            .count())
                    .sum();
            assertTrue(members > 30_000, () -> members + " members");
        }
    }
}
