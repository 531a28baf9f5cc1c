package dev.guestcore.inspect;

import static dev.guestcore.inspect.MadeUp.MIB;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.RegionContents;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

@Isolated("changes the process's locale")
class MemoryMapTest {

    private static final TextMap.Style PLAIN = new TextMap.Style(80, false, true);

    /** Only the tests need the XML parser, so the module itself does not ask for it. */
    @BeforeAll
    static void letThisModuleUseTheXmlParser() {
        Module parser = ModuleLayer.boot().findModule("java.xml").orElseThrow();
        MemoryMapTest.class.getModule().addReads(parser);
    }

    private static MemoryMap scanned(Guest guest) {
        return MemoryMap.of(guest, MemoryScan.run(guest.memory(), Progress.none()));
    }

    @Test
    void coversTheAddressSpaceWithoutGaps() {
        MemoryMap map = MemoryMap.of(MadeUp.pc());
        assertEquals(14, map.rows().size());
        assertEquals(new MemoryMap.Hole(new AddressRange(0xc0000, 0xeffff)), map.rows().get(2));
        assertEquals(0, map.rows().getFirst().range().first());
        for (int i = 1; i < map.rows().size(); i++) {
            assertTrue(map.rows().get(i - 1).range().isFollowedBy(map.rows().get(i).range()), "row " + i);
        }
    }

    /** Bars: 1 + 19 * (log2 size - 12) / (log2 63 MiB - 12), cut; worked out with a pocket calculator. */
    @Test
    void drawsTextAsByHand() {
        assertEquals(
                """
                Guest
                RAM ~71.6 MiB, ROM 128 KiB, devices 137 KiB; 9 regions

                0x000000000000  ██████████              640 KiB  RAM     low RAM
                0x0000000a0000  ╌╌╌╌╌╌╌                 128 KiB  device  VGA
                0x0000000c0000  ┆                       192 KiB  hole
                0x0000000f0000  ▒▒▒▒▒▒                   64 KiB  ROM     BIOS
                0x000000100000  ████████████████████     63 MiB  RAM     RAM
                0x000004000000  ┆                      ~3.9 GiB  hole
                0x0000fec00000  ╌                         4 KiB  device  I/O APIC
                0x0000fec01000  ┆                      1020 KiB  hole
                0x0000fed00000  ╌                         1 KiB  device  HPET
                0x0000fed00400  ┆                      1023 KiB  hole
                0x0000fee00000  ╌                         4 KiB  device  local APIC
                0x0000fee01000  ┆                     ~17.9 MiB  hole
                0x0000ffff0000  ▒▒▒▒▒▒                   64 KiB  ROM     BIOS <alias> & [31mred
                0x000100000000  ███████████████           8 MiB  RAM     high RAM
                0x000100800000
                """,
                TextMap.render(MemoryMap.of(MadeUp.pc()), PLAIN));
    }

    @Test
    void textOfAScannedGuestShowsHowFullItIs() {
        String text = TextMap.render(scanned(MadeUp.pc()), PLAIN);
        assertTrue(text.contains("0x000000000000  ··········              640 KiB  RAM       0%  low RAM\n"), text);
        assertTrue(text.contains("0x000000100000  ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓     63 MiB  RAM      50%  RAM\n"), text);
        assertTrue(text.contains("0x0000000f0000  ██████                   64 KiB  ROM     100%  BIOS\n"), text);
    }

    @Test
    void asciiAndColourSayTheSame() {
        MemoryMap map = scanned(MadeUp.pc());
        String ascii = TextMap.render(map, new TextMap.Style(80, false, false));
        assertTrue(ascii.matches("[\n -~]*"), ascii);
        String coloured = TextMap.render(map, new TextMap.Style(80, true, false));
        assertTrue(coloured.contains("\u001b[38;5;31m"));
        assertEquals(ascii, coloured.replaceAll("\u001b\\[[0-9;]+m", "").replaceAll(" +\n", "\n"));
        for (String line : ascii.split("\n")) {
            assertTrue(line.length() <= 80, line);
        }
    }

    @Test
    void svgIsWellFormedAndNamesEveryRegion() throws Exception {
        Guest guest = MadeUp.pc();
        for (MemoryMap map : List.of(MemoryMap.of(guest), scanned(guest))) {
            Document document = parse(SvgMap.render(map));
            Element root = document.getDocumentElement();
            assertEquals("http://www.w3.org/2000/svg", root.getNamespaceURI());
            List<String> texts = new ArrayList<>();
            NodeList elements = root.getElementsByTagName("text");
            for (int i = 0; i < elements.getLength(); i++) {
                texts.add(elements.item(i).getTextContent());
            }
            for (String name : List.of("low RAM", "VGA", "BIOS", "RAM", "I/O APIC", "HPET", "local APIC", "high RAM")) {
                assertTrue(texts.stream().anyMatch(text -> text.startsWith(name)), name);
            }
            assertTrue(texts.contains("BIOS <alias> & [31mredROM"), texts.toString());
            for (MemoryRegion region : guest.memory().regions()) {
                String address = String.format(Locale.ROOT, "0x%012x", region.range().first());
                assertTrue(texts.contains(address), address);
            }
            assertTrue(texts.contains("~3.9 GiB"));
            assertTrue(root.getElementsByTagName("title").item(0).getTextContent().contains("physical memory"));
        }
    }

    @Test
    void nothingInThePictureOverlaps() throws Exception {
        Document document = parse(SvgMap.render(scanned(MadeUp.pc())));
        NodeList elements = document.getDocumentElement().getElementsByTagName("text");
        int lastAddress = 0;
        int lastLabel = 0;
        for (int i = 0; i < elements.getLength(); i++) {
            Element text = (Element) elements.item(i);
            int y = Integer.parseInt(text.getAttribute("y"));
            int x = Integer.parseInt(text.getAttribute("x"));
            if (text.getTextContent().matches("[0-9a-f]{12}")) {
                assertTrue(y - lastAddress >= 16, "address at " + y);
                lastAddress = y;
            } else if (y > 130 && x > 600 && !text.getAttribute("class").contains("end")) {
                assertTrue(y - lastLabel >= 16, "label at " + y);
                lastLabel = y;
            }
        }
        int height = Integer.parseInt(document.getDocumentElement().getAttribute("height"));
        assertTrue(lastAddress < height && lastLabel < height);
    }

    @Test
    void svgIsTheSameEachTimeAndInEveryLanguage() {
        MemoryMap map = scanned(MadeUp.pc());
        String first = SvgMap.render(map);
        Locale before = Locale.getDefault();
        try {
            Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
            assertEquals(first, SvgMap.render(scanned(MadeUp.pc())));
        } finally {
            Locale.setDefault(before);
        }
    }

    @Test
    void namesCannotBreakOut() throws Exception {
        String hostile = "</text><script>\u0000\u001b]0;x\u0007\u202e\ud800\ufffe\"'&amp;" + "a".repeat(1000);
        Provenance provenance = new Provenance(
                "file", "none", "", Optional.of(hostile), Optional.of("1\n2"), Optional.empty());
        Guest guest = Guest.builder().provenance(provenance).device(0, 1, hostile).build();
        MemoryMap map = MemoryMap.of(guest);
        Document document = parse(SvgMap.render(map));
        assertEquals(0, document.getElementsByTagName("script").getLength());
        String text = TextMap.render(map, PLAIN);
        assertFalse(text.chars().anyMatch(character -> character != '\n' && character < ' '), text);
        assertFalse(text.contains("\u202e"));
        assertTrue(SvgMap.render(map).length() < 10_000);
    }

    @Test
    void putsNeighboursTogether() throws Exception {
        MadeUp.ManyRegions memory = new MadeUp.ManyRegions(1_000_000, 8192, RegionContents.zeros());
        MemoryMap map = MemoryMap.of("many", memory, Optional.empty());
        List<MemoryMap.Area> areas = areas(map);
        assertTrue(areas.size() <= MemoryMap.MOST_AREAS, areas.size() + " areas");
        assertEquals(1_000_000, areas.stream().mapToLong(MemoryMap.Area::regionCount).sum());
        assertEquals(1_000_000L * 4096, areas.stream().mapToLong(MemoryMap.Area::size).sum());
        assertTrue(areas.getFirst().label().matches("[0-9]+,000 regions"), areas.getFirst().label());
        String svg = SvgMap.render(map);
        parse(svg);
        assertTrue(svg.length() < 500_000, svg.length() + " characters");
    }

    @Test
    void longHolesStayHolesWhenNeighboursAreTogether() {
        var builder = Guest.builder();
        for (int i = 0; i < 600; i++) {
            long address = i * 8192L + (i >= 311 ? MadeUp.GIB : 0);
            MemoryRegion.Kind kind = i % 2 == 0 ? MemoryRegion.Kind.RAM : MemoryRegion.Kind.DEVICE;
            RegionContents contents = i % 2 == 0 ? MadeUp.pages(page -> 1) : RegionContents.absent();
            builder.region(MadeUp.region(address, 4096, kind, "r" + i), contents);
        }
        MemoryMap map = scanned(builder.build());
        AddressRange longHole = new AddressRange(310 * 8192L + 4096, 311 * 8192L + MadeUp.GIB - 1);
        assertTrue(map.rows().contains(new MemoryMap.Hole(longHole)));
        MemoryMap.Area first = areas(map).getFirst();
        assertEquals(6, first.regionCount());
        assertEquals(Map.of(MemoryRegion.Kind.RAM, 3 * 4096L, MemoryRegion.Kind.DEVICE, 3 * 4096L), first.bytes());
        assertEquals(3, first.scan().orElseThrow().presentPages());
        assertEquals(MemoryRegion.Kind.RAM, first.kind());
        assertTrue(TextMap.render(map, new TextMap.Style(120, false, true))
                .contains("6 regions: RAM 12 KiB, devices 12 KiB"));
    }

    private static List<MemoryMap.Area> areas(MemoryMap map) {
        return map.rows().stream()
                .filter(MemoryMap.Area.class::isInstance)
                .map(MemoryMap.Area.class::cast)
                .toList();
    }

    @Test
    void drawsNothingAndEverything() throws Exception {
        MemoryMap nothing = MemoryMap.of(Guest.builder().build());
        assertEquals("Guest\n0 regions\n\n", TextMap.render(nothing, PLAIN));
        parse(SvgMap.render(nothing));
        Guest top = Guest.builder()
                .region(MadeUp.ram(-MIB, MIB), MadeUp.in(PageState.UNREADABLE))
                .build();
        MemoryMap map = scanned(top);
        assertEquals(-MIB, map.rows().getLast().range().first());
        assertTrue(TextMap.render(map, PLAIN).endsWith("end of the address space\n"));
        String svg = SvgMap.render(map);
        parse(svg);
        assertTrue(svg.contains("100 % missing"));
    }

    private static Document parse(String svg) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        return factory.newDocumentBuilder().parse(new InputSource(new StringReader(svg)));
    }
}
