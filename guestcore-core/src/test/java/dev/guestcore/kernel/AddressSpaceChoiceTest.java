package dev.guestcore.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.address.EncryptionBitException;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.testing.MadeUpKernel;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class AddressSpaceChoiceTest {

    private static final long OFFSET = 0x1a00_0000L;
    private static final int IMAGE = 8 << 20;
    private static final long C_BIT = 1L << 51;

    private static VmcoreInfoFacts note(MadeUpKernel kernel) {
        return new VmcoreInfoFacts(kernel.vmcoreInfo().getBytes(StandardCharsets.US_ASCII));
    }

    private static AddressSpaceChoice choose(Guest guest) {
        return choose(guest, TranslationOptions.defaults());
    }

    private static AddressSpaceChoice choose(Guest guest, TranslationOptions stated) {
        return AddressSpaceChoice.of(guest, guest.vcpus().stream().findFirst(), stated, Progress.none());
    }

    private static void assertReads(MadeUpKernel kernel, AddressSpaceChoice choice) {
        byte[] bytes = new byte[MadeUpKernel.TEXT.length()];
        choice.space().memory().read(kernel.textAddress(), MemorySegment.ofArray(bytes));
        assertEquals(MadeUpKernel.TEXT, new String(bytes, StandardCharsets.US_ASCII));
    }

    private static void assertRelies(AddressSpaceChoice choice, Derived.Confidence confidence, String... words) {
        for (String word : words) {
            assertTrue(choice.basis().orElse("").contains(word), word + " in " + choice.basis());
        }
        assertEquals(confidence, choice.confidence());
    }

    @Test
    void registersComeFirst() {
        MadeUpKernel kernel = MadeUpKernel.at(OFFSET, IMAGE);
        AddressSpaceChoice choice =
                choose(kernel.guest().vcpu(kernel.registers()).facts(note(kernel)).build());
        assertReads(kernel, choice);
        assertEquals(Optional.empty(), choice.basis());
    }

    @Test
    void aKernelsOwnDumpIsReadThroughTheTablesThatItNames() {
        for (boolean five : new boolean[] {false, true}) {
            MadeUpKernel kernel = MadeUpKernel.at(OFFSET, IMAGE, 0, five);
            AddressSpaceChoice choice = choose(
                    kernel.guest().vcpu(kernel.generalRegisters()).facts(note(kernel)).build());
            assertReads(kernel, choice);
            assertEquals(five ? X86PagingMode.FIVE_LEVEL : X86PagingMode.FOUR_LEVEL, choice.space().paging().mode());
            assertRelies(choice, Derived.Confidence.CERTAIN, "SYMBOL(swapper_pg_dir)", "note of the dump");
        }
    }

    @Test
    void aMemoryWithoutVcpusIsReadThroughTheTablesThatVmcoreInfoInMemoryNames() {
        MadeUpKernel kernel = MadeUpKernel.at(OFFSET, IMAGE, C_BIT, false).withNoteAt(0x40_0000);
        AddressSpaceChoice choice = choose(kernel.guest().build());
        assertReads(kernel, choice);
        assertEquals(C_BIT, choice.space().paging().encryptionMask());
        assertRelies(choice, Derived.Confidence.CERTAIN, "guest-physical 0x400018");
    }

    @Test
    void withoutVmcoreInfoTablesNearTheBannerAreFound() {
        for (boolean five : new boolean[] {false, true}) {
            MadeUpKernel kernel = MadeUpKernel.at(OFFSET, IMAGE, 0, five);
            AddressSpaceChoice choice = choose(kernel.guest().build());
            assertReads(kernel, choice);
            assertEquals(kernel.root(), choice.space().root().value());
            assertRelies(choice, Derived.Confidence.CERTAIN, "near the banner");
            KernelFacts facts = KernelFacts.search(kernel.guest().build(), Progress.none());
            assertEquals(OFFSET, facts.kaslrOffset().orElseThrow().value());
            assertEquals(kernel.root(), facts.pageTableRoot().orElseThrow().value().value());
        }
    }

    @Test
    void tablesThatDoNotMapTheKernelAreNoCertainty() {
        MadeUpKernel kernel = MadeUpKernel.at(OFFSET, IMAGE);
        Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(new byte[MadeUpKernel.SIZE]))
                .vcpu(kernel.generalRegisters())
                .facts(note(kernel))
                .build();
        assertRelies(choose(guest), Derived.Confidence.LIKELY, "do not map the kernel");
        KernelFacts facts = KernelFacts.glance(guest);
        assertEquals(Derived.Confidence.DOUBTFUL, facts.pageTableRoot().orElseThrow().confidence());
    }

    @Test
    void theEncryptionBitIsTakenFromTheNoteOrFromMemory() {
        MadeUpKernel kernel = MadeUpKernel.at(OFFSET, IMAGE, C_BIT, false);
        AddressSpaceChoice noted =
                choose(kernel.guest().vcpu(kernel.registers()).facts(note(kernel)).build());
        assertReads(kernel, noted);
        assertRelies(noted, Derived.Confidence.CERTAIN, "address bit 51", "note of the dump");
        kernel.withNoteAt(0x40_0000);
        AddressSpaceChoice found = choose(kernel.guest().vcpu(kernel.registers()).build());
        assertReads(kernel, found);
        assertRelies(found, Derived.Confidence.CERTAIN, "address bit 51", "0x400018");
    }

    @Test
    void anEncryptionBitThatNothingStatesIsNamed() {
        MadeUpKernel kernel = MadeUpKernel.at(OFFSET, IMAGE, 1L << 47, false);
        Guest guest = kernel.guest().vcpu(kernel.registers()).build();
        EncryptionBitException error = assertThrows(EncryptionBitException.class, () -> choose(guest));
        assertEquals(47, error.bit());
        assertReads(kernel, choose(guest, TranslationOptions.defaults().withEncryptionBit(47)));
    }

    @Test
    void whatIsStatedCounts() {
        MadeUpKernel kernel = MadeUpKernel.at(OFFSET, IMAGE);
        Guest guest = kernel.guest().vcpu(kernel.generalRegisters()).facts(note(kernel)).build();
        TranslationOptions root = TranslationOptions.defaults().withRoot(0x5000);
        AddressSpaceChoice choice = choose(guest, root);
        assertEquals(0x5000, choice.space().root().value());
        assertEquals(X86PagingMode.FOUR_LEVEL, choice.space().paging().mode());
        assertEquals(
                X86PagingMode.FIVE_LEVEL,
                choose(guest, root.withMode(X86PagingMode.FIVE_LEVEL)).space().paging().mode());
    }

    @Test
    void whereNothingTellsTheRegisterThatIsMissingIsNamed() {
        Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(new byte[8192]))
                .vcpu(RegisterState.unknown())
                .build();
        assertThrows(UnknownRegisterException.class, () -> choose(guest));
        Guest none = Guest.builder().ram(0, MemorySegment.ofArray(new byte[8192])).build();
        assertThrows(UnsupportedRequestException.class, () -> choose(none));
    }
}
