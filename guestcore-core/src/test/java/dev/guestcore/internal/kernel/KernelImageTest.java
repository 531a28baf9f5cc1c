package dev.guestcore.internal.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.AddressRange;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Where VMCOREINFO says that the image of an arm64 kernel lies. */
class KernelImageTest {

    private static Optional<KernelImage> image(String... lines) {
        return KernelImage.of(String.join("\n", lines).getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void anArm64KernelTellsTheDistance() {
        assertEquals(
                Optional.of(new KernelImage(
                        new AddressRange(0x40210000, 0x4058ffff), 0xffffb056aca10000L)),
                image("OSRELEASE=6.1", "SYMBOL(_stext)=ffffb056aca10000", "SYMBOL(swapper_pg_dir)=ffffb056acd8f000",
                        "SYMBOL(mem_section)=ffff00001fdc8e00", "NUMBER(kimage_voffset)=0xffffb0566c800000"));
    }

    @Test
    void whatCannotBeIsNoImage() {
        assertEquals(Optional.empty(), image("SYMBOL(_stext)=1000", "NUMBER(kimage_voffset)=0x10"));
        assertEquals(Optional.empty(), image("NUMBER(kimage_voffset)=0xffffb0566c800000"));
        assertEquals(Optional.empty(), image("SYMBOL(_stext)=ffffb056aca10000", "NUMBER(kimage_voffset)=0"));
    }
}
