package dev.guestcore.internal.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.AddressRange;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

@Isolated("changes the process's locale")
class AmountsTest {

    @Test
    void isExactWhereItSaysSo() {
        assertEquals("0 B", Amounts.human(0));
        assertEquals("1023 B", Amounts.human(1023));
        assertEquals("1 KiB", Amounts.human(1024));
        assertEquals("640 KiB", Amounts.human(0xa0000));
        assertEquals("72 MiB", Amounts.human(72L << 20));
        assertEquals("3.5 GiB", Amounts.human(7L << 29));
        assertEquals("1.25 GiB", Amounts.human(5L << 28));
        assertEquals("100 GiB", Amounts.human(100L << 30));
    }

    @Test
    void roundsToOneDecimal() {
        assertEquals("~960.0 KiB", Amounts.human(960 * 1024 - 1));
        assertEquals("~1.1 MiB", Amounts.human((1 << 20) + 100_000));
    }

    @Test
    void knowsTheWholeAddressSpace() {
        assertEquals("16 EiB", Amounts.human(new AddressRange(0, -1L)));
        assertEquals("8 EiB", Amounts.human(Long.MIN_VALUE));
        assertEquals("~16.0 EiB", Amounts.human(-1L));
    }

    @Test
    void isTheSameInEveryLanguage() {
        Locale before = Locale.getDefault();
        try {
            Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
            assertEquals("3.5 GiB", Amounts.human(7L << 29));
            assertEquals("1,234,567", Amounts.count(1_234_567));
        } finally {
            Locale.setDefault(before);
        }
        assertEquals("999", Amounts.count(999));
    }
}
