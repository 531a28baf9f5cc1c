package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.JsonSchema;
import dev.guestcore.testing.Samples;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The commands on guests that are no PCs. */
@Tag("slow")
class OtherProcessorsTest {

    @ParameterizedTest
    @CsvSource({
        "arch/arm64, 0xffffa9465cfc4250, 0x411c4250, 4 KiB 48-bit, 2097152",
        "arch/riscv64, 0xffffffff81149320, 0x81349320, Sv57, 2097152",
        "arch/s390x, 0x37fffd13da0, 0x19cbda0, region-third-table, 4096"
    })
    void virtualAddressesAreTranslated(String sample, String address, String physical, String paging, int page) {
        String core = Samples.core(sample).toString();
        Map<?, ?> document = JsonSchema.check(Run.of("translate", core, address, "--json").bytes());
        assertEquals(physical, document.get("physical"));
        assertEquals(paging, document.get("paging"));
        assertEquals(page, ((Number) document.get("pageSize")).intValue());
        String bytes = Run.of("read", core, physical, "16").out().lines().findFirst().orElseThrow();
        String virtual = Run.of("read", "--virtual", core, address, "16").out().lines().findFirst().orElseThrow();
        assertEquals(bytes.substring(bytes.indexOf(' ')).strip(), virtual.substring(virtual.indexOf(' ')).strip());
    }

    @Test
    void virtualMemoryIsListedAndSearched() {
        String core = Samples.core("arch/riscv64").toString();
        String map = Run.of("map", "--virtual", core).out();
        assertTrue(map.contains("Sv57"), map);
        assertTrue(map.contains("ranges in "), map);
        String hits = Run.of("search", "--virtual", core, "Linux version 6.12.117").out();
        assertTrue(hits.contains("0xffffffff81149320"), hits);
    }

    @Test
    void rootsAreStated() {
        String core = Samples.core("arch/arm64").toString();
        String[] stated = {"--paging", "4k-48", "--kernel-root", "0x41a92000", "--json"};
        Map<?, ?> document = (Map<?, ?>) Run.of(
                "translate", core, "0xffffa9465cfc4250", stated[0], stated[1], stated[2], stated[3], stated[4])
                .json();
        assertEquals("0x411c4250", document.get("physical"));
        assertEquals("stated", document.get("how"));
        Run.of("translate", core, "0", "--paging", "sv39").failsWith(ExitCode.FAILED,
                "AArch64, which has no Sv39 paging");
        Run.of("translate", core, "0", "--paging", "64k-48").failsWith(ExitCode.FAILED,
                "are of 4 KiB 48-bit paging, not 64 KiB");
        assertEquals("root-unknown",
                ((Map<?, ?>) Run.of("translate", core, "0x400000", "--json").json()).get("outcome"));
    }
}
