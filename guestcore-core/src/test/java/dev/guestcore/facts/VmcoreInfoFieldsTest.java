package dev.guestcore.facts;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** There is one parser of VMCOREINFO, and the facts of a dump use it. */
class VmcoreInfoFieldsTest {

    private static final String TEXT = "OSRELEASE=6.1.0\nKERNELOFFSET=10\nOSRELEASE=9.9\nKERNELOFFSET=20\n"
            + "NUMBER(phys_base)=-4096 \nSYMBOL(_stext)=ffffffff81000000\r\nNUMBER(empty)=\nNUMBER(x)=1x\nno pair\n=none\n";

    @Test
    void ofARepeatedKeyTheFirstCountsInBothViews() {
        VmcoreInfoFacts facts = new VmcoreInfoFacts(TEXT.getBytes(StandardCharsets.US_ASCII));
        assertEquals(Optional.of("6.1.0"), facts.value("OSRELEASE"));
        assertEquals(facts.value("OSRELEASE"), facts.fields().release());
        assertEquals(OptionalLong.of(0x10), facts.fields().kernelOffset());
    }

    @Test
    void blanksAroundANumberAreNoPartOfIt() {
        VmcoreInfoFields fields = VmcoreInfoFields.parse(TEXT);
        assertEquals(OptionalLong.of(-4096), fields.physicalBase());
        assertEquals(OptionalLong.of(0xffff_ffff_8100_0000L), fields.symbol("_stext"));
    }

    @Test
    void whatIsNoNumberIsMissing() {
        VmcoreInfoFields fields = VmcoreInfoFields.parse(TEXT);
        assertEquals(OptionalLong.empty(), fields.number("empty"));
        assertEquals(OptionalLong.empty(), fields.number("x"));
        assertEquals(OptionalLong.empty(), fields.number("absent"));
        assertEquals(Optional.empty(), fields.value(""));
    }
}
