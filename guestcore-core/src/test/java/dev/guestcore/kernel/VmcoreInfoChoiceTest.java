package dev.guestcore.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.MadeUpKernel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VmcoreInfoChoiceTest {

    private static final int OLD_NOTE = 0x10_0000;
    private static final int NEW_NOTE = 0xf0_0000;

    /** The one that ran before lies first. */
    private final MadeUpKernel old = MadeUpKernel.at(0x800_0000, 2 << 20).withNoteAt(OLD_NOTE);

    private final MadeUpKernel running = old.beside(0x1a00_0000, 8 << 20).withNoteAt(NEW_NOTE);

    private Guest guest() {
        return running.guest().vcpu(running.registers()).build();
    }

    @Test
    void theOneThatTheVcpuMapsCounts() {
        VmcoreInfoChoice choice = VmcoreInfoChoice.search(guest(), Progress.none()).orElseThrow();
        assertEquals(running.vmcoreInfo(), choice.chosen().text());
        assertEquals(VmcoreInfoChoice.Agreement.VCPU, choice.agreement());
        assertEquals(Optional.empty(), choice.doubt());
        KernelFacts facts = KernelFacts.search(guest(), Progress.none());
        assertEquals(0x1a00_0000L, facts.kaslrOffset().orElseThrow().value());
        assertEquals(Derived.Confidence.CERTAIN, facts.kaslrOffset().orElseThrow().confidence());
        assertEquals(List.of(OLD_NOTE + 24L), facts.otherVmcoreInfo().stream().map(info -> info.address()).toList());
        assertTrue(facts.vmcoreInfo().orElseThrow().how().contains("0x100018, 0xf00018"));
    }

    @Test
    void itCountsWhereverItLies() {
        MadeUpKernel first = MadeUpKernel.at(0x1a00_0000, 8 << 20).withNoteAt(OLD_NOTE);
        first.beside(0x800_0000, 2 << 20).withNoteAt(NEW_NOTE);
        Guest guest = first.guest().vcpu(first.registers()).build();
        assertEquals(
                first.vmcoreInfo(),
                VmcoreInfoChoice.search(guest, Progress.none()).orElseThrow().chosen().text());
    }

    @Test
    void withoutRegistersTwoWholeKernelsAreADoubt() {
        VmcoreInfoChoice choice =
                VmcoreInfoChoice.search(running.guest().build(), Progress.none()).orElseThrow();
        assertEquals(VmcoreInfoChoice.Agreement.OWN_TABLES, choice.agreement());
        assertFalse(choice.isConfirmed());
        assertTrue(choice.doubt().orElseThrow().contains("0x100018, 0xf00018"));
        KernelFacts facts = KernelFacts.search(running.guest().build(), Progress.none());
        assertEquals(Derived.Confidence.DOUBTFUL, facts.vmcoreInfo().orElseThrow().confidence());
    }

    @Test
    void withoutRegistersTheOneWhoseTablesAreStillThereCounts() {
        MadeUpKernel whole = MadeUpKernel.at(0x1a00_0000, 8 << 20);
        MadeUpKernel gone = MadeUpKernel.at(0x800_0000, 2 << 20).withNoteAt(0);
        whole.put(OLD_NOTE, new String(gone.bytes(), 0, 4096, StandardCharsets.ISO_8859_1));
        whole.withNoteAt(NEW_NOTE);
        VmcoreInfoChoice choice =
                VmcoreInfoChoice.search(whole.guest().build(), Progress.none()).orElseThrow();
        assertEquals(whole.vmcoreInfo(), choice.chosen().text());
        assertTrue(choice.isConfirmed());
    }

    @Test
    void aNoteOfTheDumpThatPageTablesDenyGivesWayInASearch() {
        byte[] wrong = old.vmcoreInfo().getBytes(StandardCharsets.US_ASCII);
        Guest guest = running.guest().vcpu(running.registers()).facts(new VmcoreInfoFacts(wrong)).build();
        KernelFacts facts = KernelFacts.search(guest, Progress.none());
        assertEquals(running.vmcoreInfo(), facts.vmcoreInfo().orElseThrow().value().text());
    }

    @Test
    void ofARepeatedKeyTheFirstCountsEverywhere() {
        String text = "OSRELEASE=1\nKERNELOFFSET=10\nKERNELOFFSET=20\n";
        assertEquals(0x10, VmcoreInfoFields.parse(text).kernelOffset().orElseThrow());
        assertEquals(
                Optional.of("10"),
                new VmcoreInfoFacts(text.getBytes(StandardCharsets.US_ASCII)).value("KERNELOFFSET"));
    }

    @Test
    void writersChooseAsInfoDoes(@TempDir Path folder) throws IOException {
        for (String name : List.of("elf", "kdump", "vbox")) {
            Path core = folder.resolve(name);
            assertEquals(List.of(), doubts(write(guest(), name, core)), name);
            if (name.equals("vbox")) {
                // Its reader takes no VMCOREINFO from the notes, which stand before memory.
                byte[] head = Files.newInputStream(core).readNBytes(1 << 16);
                assertTrue(new String(head, StandardCharsets.ISO_8859_1).contains(running.vmcoreInfo()));
                continue;
            }
            try (Guest written = Guests.open(core.toString())) {
                assertEquals(running.vmcoreInfo(), written.facts(VmcoreInfoFacts.class).orElseThrow().text(), name);
            }
        }
    }

    @Test
    void writersSayThatTheyDoNotKnow(@TempDir Path folder) {
        Guest guest = running.guest().build();
        for (String name : List.of("elf", "kdump")) {
            List<String> doubts = doubts(write(guest, name, folder.resolve(name)));
            assertEquals(1, doubts.size(), name);
            assertTrue(doubts.getFirst().contains("0x100018, 0xf00018"), name);
        }
    }

    private static List<String> doubts(WriteReport report) {
        return report.losses().stream()
                .filter(loss -> loss.what().contains("VMCOREINFO"))
                .map(loss -> loss.why())
                .toList();
    }

    private static WriteReport write(Guest guest, String name, Path core) {
        CoreFormat format = Guests.formats().stream().filter(one -> one.name().equals(name)).findFirst().orElseThrow();
        try (OutputFile file = OutputFile.create(core, OutputFile.IfExists.FAIL)) {
            WriteReport report = format.writer(name.equals("vbox") ? Map.of("analyst-notes", "true") : Map.of())
                    .plan(guest).write(file.sink(), Progress.none());
            file.commit();
            return report;
        }
    }
}
