package dev.guestcore.fuzz;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Patterns;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Inputs to begin with: what our writers make of small guests, and the heads of real dumps. */
final class Seeds {

    private static final int PAGE = 4096;

    /** What VMCOREINFO of a real kernel looks like, shortened. */
    static final String VMCOREINFO =
            """
            OSRELEASE=6.1.0-18-cloud-amd64
            BUILD-ID=0123456789abcdef0123456789abcdef01234567
            PAGESIZE=4096
            SYMBOL(init_uts_ns)=ffffffff82c1a3e0
            SYMBOL(swapper_pg_dir)=ffffffff82c10000
            SYMBOL(_stext)=ffffffff81000000
            NUMBER(phys_base)=4096
            NUMBER(pgtable_l5_enabled)=0
            NUMBER(KERNEL_IMAGE_SIZE)=1073741824
            SIZE(page)=64
            OFFSET(page.flags)=0
            LENGTH(mem_section)=2048
            KERNELOFFSET=0
            CRASHTIME=1700000000
            """;

    private Seeds() {}

    /** Gives seeds. */
    @FunctionalInterface
    interface Source {

        /**
         * Makes them.
         *
         * @throws IOException if files fail
         */
        List<byte[]> seeds() throws IOException;
    }

    /** No seeds. */
    static List<byte[]> none() {
        return List.of();
    }

    /** Words as bytes, with a zero byte in place of each {@code ~}. */
    static List<byte[]> words(String... words) {
        List<byte[]> list = new ArrayList<>();
        for (String word : words) {
            list.add(word.replace('~', '\0').getBytes(StandardCharsets.ISO_8859_1));
        }
        return list;
    }

    /** Small guests that differ in kind. */
    static List<Guest> guests() {
        byte[] vmcoreInfo = VMCOREINFO.getBytes(StandardCharsets.US_ASCII);
        byte[] banner = new byte[PAGE];
        byte[] text = "Linux version 6.1.0-18 (gcc) #1 SMP Debian\n~".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(text, 0, banner, 64, text.length);
        Guest usual = Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes(PAGE, 1)))
                .ram(0x3000, MemorySegment.ofArray(new byte[PAGE]))
                .rom(0xf0000, MemorySegment.ofArray(banner))
                .vcpu(Patterns.longMode(1))
                .facts(new VmcoreInfoFacts(vmcoreInfo))
                .build();
        Guest high = Guest.builder()
                .ram(0x1_0000_0000L, MemorySegment.ofArray(Patterns.bytes(PAGE, 3)))
                .vcpu(Patterns.longMode(2))
                .vcpu(Patterns.longMode(3))
                .build();
        Guest states = Guest.builder()
                .region(ram(0, 0x6000), contents(PageState.PRESENT, PageState.EXCLUDED, PageState.ZERO,
                        PageState.UNREADABLE, PageState.ABSENT, PageState.PRESENT))
                .device(0xfee00000L, PAGE, "apic")
                .build();
        Guest tiny = Guest.builder().ram(0, MemorySegment.ofArray(new byte[512])).build();
        return List.of(usual, high, states, tiny);
    }

    private static MemoryRegion ram(long address, long size) {
        return new MemoryRegion(AddressRange.ofSize(address, size), MemoryRegion.Kind.RAM, "pc.ram");
    }

    private static RegionContents contents(PageState... states) {
        return new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                long done = 0;
                while (done < target.byteSize()) {
                    PageState state = states[(int) ((offset + done) / PAGE)];
                    if (!state.isReadable()) {
                        break;
                    }
                    long left = PAGE - (offset + done) % PAGE;
                    long size = Math.min(left, target.byteSize() - done);
                    target.asSlice(done, size).fill(state == PageState.ZERO ? 0 : (byte) (offset / PAGE + 1));
                    done += size;
                }
                return done;
            }

            @Override
            public Run runAt(long offset, long remaining) {
                return new Run(states[(int) (offset / PAGE)], Math.min(remaining, PAGE - offset % PAGE));
            }
        };
    }

    /** What a format's writer makes of the guests, with each of its options. */
    static List<byte[]> written(String format) throws IOException {
        List<byte[]> seeds = new ArrayList<>();
        CoreFormat writer = Guests.format(format);
        Path folder = Scratch.newFolder();
        try {
            for (Map<String, String> options : GuestWalk.settings(writer)) {
                for (Guest guest : guests()) {
                    Path file = folder.resolve("seed" + seeds.size());
                    try {
                        writer.writer(options).write(guest, file, Progress.none());
                        seeds.add(Files.readAllBytes(file));
                    } catch (GuestcoreException e) {
                        // Not every format can carry every guest.
                        Files.deleteIfExists(file);
                    }
                }
            }
        } finally {
            Scratch.delete(folder);
        }
        return seeds;
    }

    /** A seed of the resources. */
    static byte[] resource(String name) throws IOException {
        try (InputStream content = Seeds.class.getResourceAsStream("/seeds/" + name)) {
            if (content == null) {
                throw new IOException("there is no seed " + name);
            }
            return content.readAllBytes();
        }
    }

    /** The heads of samples, as if they were cut short. */
    static List<byte[]> heads(int size, List<String> samples) throws IOException {
        List<byte[]> seeds = new ArrayList<>();
        for (String sample : samples) {
            try (InputStream content = Files.newInputStream(Samples.core(sample))) {
                seeds.add(content.readNBytes(size));
            }
        }
        return seeds;
    }

    /** Files, each behind four bytes that choose what is done with it; all choices occur. */
    static List<byte[]> withChoices(List<byte[]> files, int longest) {
        List<byte[]> seeds = new ArrayList<>();
        for (int i = 0; i < Math.max(files.size(), 16); i++) {
            byte[] file = files.get(i % files.size());
            ByteBuffer seed = ByteBuffer.allocate(Math.min(longest, Integer.BYTES + file.length));
            seed.putInt(i & 15 | i << 8 | i / 3 << 16);
            seed.put(file, 0, seed.remaining());
            seeds.add(seed.array());
        }
        return seeds;
    }
}
