package dev.guestcore.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.testing.MadeUpKernel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class KernelPanicTest {

    private static final int IMAGE = 8 << 20;
    private static final long VIRTUAL = 0xffff_ffff_9b00_0000L;
    private static final String LINE = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009";

    private final MadeUpKernel kernel = MadeUpKernel.at(0x1a00_0000, IMAGE);
    private final ByteBuffer memory = ByteBuffer.wrap(kernel.bytes()).order(ByteOrder.LITTLE_ENDIAN);

    private KernelFacts glance(String more) {
        byte[] note = (kernel.vmcoreInfo() + more).getBytes(StandardCharsets.US_ASCII);
        try (Guest guest = kernel.guest().vcpu(kernel.registers()).facts(new VmcoreInfoFacts(note)).build()) {
            return KernelFacts.glance(guest);
        }
    }

    /** The text ring lies in the image; offsets are of our own choice. */
    private String ring(String text) {
        memory.putLong(IMAGE + 0x10_0000, VIRTUAL + 0x10_1000);
        memory.putInt(IMAGE + 0x10_1000 + 0x30 + 8, 16);
        memory.putLong(IMAGE + 0x10_1000 + 0x30 + 16, VIRTUAL + 0x11_0000);
        kernel.put(IMAGE + 0x11_0000 + 5000, text);
        return "SYMBOL(prb)=" + Long.toHexString(VIRTUAL + 0x10_0000)
                + "\nOFFSET(printk_ringbuffer.text_data_ring)=48\n"
                + "OFFSET(prb_data_ring.size_bits)=8\nOFFSET(prb_data_ring.data)=16\n";
    }

    @Test
    void aPanicInTheLogIsFound() {
        Derived<String> panic = glance(ring("\0\1" + LINE + "\nmore")).panic().orElseThrow();
        assertEquals(LINE, panic.value());
        assertEquals(Derived.Confidence.LIKELY, panic.confidence());
    }

    /** What a longer record left in the ring stands right behind the text of a shorter one. */
    @Test
    void whatStandsBehindARecordIsNotPartOfIt() {
        String ring = ring(LINE + "left over") + descriptors(LINE.length());
        assertEquals(LINE, glance(ring).panic().orElseThrow().value());
        // A descriptor of another record tells nothing.
        memory.putLong(IMAGE + 0x10_2000 + 5 * 24 + 8, 4000);
        assertEquals(LINE + "left over", glance(ring).panic().orElseThrow().value());
        for (int bits : new int[] {-1, 0, 31, 64}) {
            memory.putInt(IMAGE + 0x10_1000, bits);
            assertEquals(LINE + "left over", glance(ring).panic().orElseThrow().value());
        }
    }

    /** The descriptor of the text in the ring is the sixth of eight, in the ring's second turn. */
    private String descriptors(int length) {
        memory.putLong(IMAGE + 0x11_0000 + 5000 - 8, 8 + 5);
        memory.putInt(IMAGE + 0x10_1000, 3);
        memory.putLong(IMAGE + 0x10_1000 + 8, VIRTUAL + 0x10_2000);
        memory.putLong(IMAGE + 0x10_1000 + 16, VIRTUAL + 0x10_3000);
        memory.putLong(IMAGE + 0x10_2000 + 5 * 24 + 8, (1 << 16) + 5000 - 8);
        memory.putShort(IMAGE + 0x10_3000 + 5 * 88 + 16, (short) length);
        return "OFFSET(printk_ringbuffer.desc_ring)=0\nOFFSET(prb_desc_ring.count_bits)=0\n"
                + "OFFSET(prb_desc_ring.descs)=8\nOFFSET(prb_desc_ring.infos)=16\nSIZE(prb_desc)=24\n"
                + "OFFSET(prb_desc.text_blk_lpos)=8\nOFFSET(prb_data_blk_lpos.begin)=0\nSIZE(printk_info)=88\n"
                + "OFFSET(printk_info.text_len)=16\n";
    }

    @Test
    void whatStandsBehindARecordOfAnOlderKernelIsNotPartOfIt() {
        memory.putLong(IMAGE + 0x10_0000, VIRTUAL + 0x11_0000);
        memory.putInt(IMAGE + 0x10_0008, 1 << 16);
        memory.putShort(IMAGE + 0x11_0100 - 16 + 10, (short) LINE.length());
        kernel.put(IMAGE + 0x11_0100, LINE + "Az");
        assertEquals(
                LINE,
                glance("SYMBOL(log_buf)=" + Long.toHexString(VIRTUAL + 0x10_0000) + "\nSYMBOL(log_buf_len)="
                        + Long.toHexString(VIRTUAL + 0x10_0008) + "\nSIZE(printk_log)=16\n"
                        + "OFFSET(printk_log.text_len)=10\n")
                        .panic()
                        .orElseThrow()
                        .value());
    }

    @Test
    void aPanicInTheLogOfAnOlderKernelIsFound() {
        memory.putLong(IMAGE + 0x10_0000, VIRTUAL + 0x11_0000);
        memory.putInt(IMAGE + 0x10_0008, 1 << 16);
        kernel.put(IMAGE + 0x11_0100, LINE + "\0");
        assertEquals(
                LINE,
                glance("SYMBOL(log_buf)=" + Long.toHexString(VIRTUAL + 0x10_0000) + "\nSYMBOL(log_buf_len)="
                        + Long.toHexString(VIRTUAL + 0x10_0008) + "\n")
                        .panic()
                        .orElseThrow()
                        .value());
    }

    @Test
    void aCrashTimeIsCertain() {
        Derived<String> panic = glance("CRASHTIME=1700000000\n").panic().orElseThrow();
        assertEquals("crashed at 2023-11-14T22:13:20Z", panic.value());
        assertEquals(Derived.Confidence.CERTAIN, panic.confidence());
        for (String none : new String[] {"", "CRASHTIME=0\n", "CRASHTIME=soon\n", "CRASHTIME=9223372036854775807\n"}) {
            assertEquals(Optional.empty(), glance(none).panic(), none);
        }
    }

    @Test
    void hostileSizesOfALogAreBounded() {
        String ring = ring("quiet");
        for (int bits : new int[] {-1, 0, 30, 31, 64}) {
            memory.putInt(IMAGE + 0x10_1000 + 0x30 + 8, bits);
            assertEquals(Optional.empty(), glance(ring).panic());
        }
    }

    @Test
    void aSearchGivesUpInTime() {
        try (Guest guest = kernel.withNoteAt(0x10_0000).guest().build()) {
            assertFalse(KernelFacts.searchWithin(guest, Duration.ZERO, Progress.none()).isPresent());
            KernelFacts facts =
                    KernelFacts.searchWithin(guest, Duration.ofMinutes(5), Progress.none()).orElseThrow();
            assertEquals(kernel.release(), facts.release().orElseThrow().value());
            assertTrue(facts.buildId().orElseThrow().value().startsWith("0123456789abcdef"));
        }
    }

    @Test
    void distributionsNameTheirDebugPackages() {
        assertPackage("linux-image-6.1.0-18-amd64-dbg", "6.1.0-18-amd64", "(debian-kernel@lists.debian.org) (gcc-12)");
        assertPackage("linux-image-unsigned-5.15.0-91-generic-dbgsym", "5.15.0-91-generic",
                "(buildd@lcy02-amd64-045) (gcc (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0)");
        assertPackage("kernel-debuginfo-6.8.5-301.fc40.x86_64", "6.8.5-301.fc40.x86_64", "(mockbuild@x)");
        assertPackage("kernel-debuginfo-5.14.0-427.13.1.el9_4.x86_64", "5.14.0-427.13.1.el9_4.x86_64", "");
        assertPackage("kernel-default-debuginfo-6.4.0-150600.21", "6.4.0-150600.21-default", "(geeko@buildhost) (gcc)");
        assertEquals(Optional.empty(), DebugPackage.of("6.9.7-test", Optional.of("(builder@host)")));
        assertEquals(Optional.empty(), DebugPackage.of("1;reboot.fc40.x86_64", Optional.empty()));
    }

    private static void assertPackage(String expected, String release, String banner) {
        assertEquals(
                expected,
                DebugPackage.of(release, Optional.of("Linux version " + release + " " + banner + " #1 SMP"))
                        .orElseThrow()
                        .packageName());
    }
}
