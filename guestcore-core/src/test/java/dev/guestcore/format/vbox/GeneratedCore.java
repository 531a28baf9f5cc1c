package dev.guestcore.format.vbox;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.RawContext;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.testing.Samples;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** The facts of a generated sample, from its input.json: what went into the original writer. */
final class GeneratedCore {

    private static final int PAGE = 4096;
    private static final Map<String, String> LABELS = labels();

    private final String sample;
    private final JsonNode input;
    private final Set<Long> failingPages = new HashSet<>();

    private GeneratedCore(String sample) {
        this.sample = sample;
        this.input = new ObjectMapper().readTree(Samples.text(sample, "input.json"));
        input.get("readFailures").forEach(failure -> failingPages.add(number(failure.get("addr"))));
    }

    static GeneratedCore of(String sample) {
        return new GeneratedCore(sample);
    }

    private static Map<String, String> labels() {
        Map<String, String> labels = new HashMap<>(Map.of(
                "SysEnter.cs", "sysenter_cs",
                "SysEnter.eip", "sysenter_eip",
                "SysEnter.esp", "sysenter_esp",
                "aXcr[0]", "xcr0",
                "aXcr[1]", "xcr1",
                "msrApicBase", "apic_base",
                "msrTscAux", "tsc_aux",
                "msrKERNELGSBASE", "kernel_gs_base"));
        for (String name : List.of("EFER", "STAR", "PAT", "LSTAR", "CSTAR", "SFMASK")) {
            labels.put("msr" + name, name.toLowerCase(Locale.ROOT));
        }
        return labels;
    }

    static long number(JsonNode node) {
        return Long.parseUnsignedLong(node.asString().substring(2), 16);
    }

    JsonNode input() {
        return input;
    }

    VmCoreLayout layout() {
        return switch (sample) {
            case "vbox/r32341-A" -> VmCoreLayout.R32341;
            case "vbox/4.0.0-A" -> VmCoreLayout.V4_0;
            case "vbox/4.3.30-A" -> VmCoreLayout.V4_2;
            case "vbox/5.0.10-A" -> VmCoreLayout.V5_0;
            case "vbox/6.0.4-A" -> VmCoreLayout.V5_1;
            case "vbox/7.0.10-A" -> VmCoreLayout.V7_0;
            default -> throw new IllegalArgumentException(sample);
        };
    }

    /** Registers by our names, dr4 and dr5 included. */
    Map<String, Long> registers(int cpu) {
        Map<String, Long> registers = new HashMap<>();
        input.get("cpus").get(cpu).get("inputs").properties().forEach(entry -> {
            String name = entry.getKey();
            String label = LABELS.getOrDefault(
                    name,
                    name.replace("_base", ".base").replace("_limit", ".limit").replace("_attr", ".attributes"));
            registers.put(label, number(entry.getValue()));
        });
        return registers;
    }

    byte[] payload(int cpu) {
        return HexFormat.of().parseHex(input.get("cpus").get(cpu).get("noteDescHex").asString());
    }

    List<MemoryRegion> regions() {
        List<MemoryRegion> regions = new ArrayList<>();
        for (JsonNode range : input.get("ranges")) {
            MemoryRegion.Kind kind =
                    range.get("mmio").asBoolean() ? MemoryRegion.Kind.DEVICE : MemoryRegion.Kind.RAM;
            regions.add(new MemoryRegion(
                    new AddressRange(number(range.get("start")), number(range.get("last"))), kind, ""));
        }
        return regions;
    }

    boolean fails(long page) {
        return failingPages.contains(page);
    }

    /** What the guest had in the page at {@code address}; zeros where the fake read failed. */
    byte[] page(long address) {
        ByteBuffer page = ByteBuffer.allocate(PAGE).order(ByteOrder.LITTLE_ENDIAN);
        long number = address >>> 12;
        if (fails(address) || number % 4 == 3) {
            return page.array();
        }
        if (number % 512 == 5 || number % 512 == 6) {
            for (long i = 0; i < 512; i++) {
                page.putLong((address + 8 * i) * 0x9E3779B97F4A7C15L);
            }
            return page.array();
        }
        for (int i = 0; i < PAGE; i++) {
            page.put((byte) (number * 7 + 13));
        }
        page.put(0, "VBOXPAGE".getBytes(StandardCharsets.US_ASCII));
        page.putLong(8, address);
        return page.array();
    }

    VirtualBoxFacts facts() {
        return new VirtualBoxFacts(
                (int) number(input.get("vboxVersionField")),
                input.get("vboxRevision").asInt(),
                layout().label(),
                62,
                List.of());
    }

    /** The guest as the original writer saw it, raw contexts included. */
    Guest guest() {
        GuestBuilder builder = Guest.builder().facts(facts());
        for (MemoryRegion region : regions()) {
            builder.region(region, region.hasContent() ? contents(region) : RegionContents.absent());
        }
        for (int cpu = 0; cpu < input.get("cCpus").asInt(); cpu++) {
            builder.vcpu(
                    RegisterState.unknown(),
                    List.of(new RawContext("vbox." + input.get("cpuPayloadType").asString() + "-"
                            + layout().payloadSize(), payload(cpu))));
        }
        return builder.build();
    }

    /** The guest with registers only, so that every byte of the CPU state is synthesized. */
    static RegisterState withoutRawContext(Map<String, Long> values) {
        RegisterState.Builder registers = RegisterState.builder();
        values.forEach((label, value) -> {
            Optional<X86> register = X86.ofLabel(label);
            register.filter(known -> known != X86.DR4 && known != X86.DR5)
                    .ifPresent(known -> registers.set(known, value));
        });
        return registers.build();
    }

    private RegionContents contents(MemoryRegion region) {
        long start = region.range().first();
        return new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                long done = 0;
                while (done < target.byteSize()) {
                    long address = start + offset + done;
                    if (fails(address & -PAGE)) {
                        break;
                    }
                    int into = (int) (address & PAGE - 1);
                    long length = Math.min(PAGE - into, target.byteSize() - done);
                    MemorySegment.copy(
                            MemorySegment.ofArray(page(address & -PAGE)), into, target, done, length);
                    done += length;
                }
                return done;
            }

            @Override
            public Run runAt(long offset, long remaining) {
                long address = start + offset;
                if (fails(address & -PAGE)) {
                    return new Run(PageState.UNREADABLE, Math.min(remaining, PAGE - (address & PAGE - 1)));
                }
                long end = start + offset + remaining;
                for (long failing : failingPages) {
                    end = failing > address ? Math.min(end, failing) : end;
                }
                return new Run(PageState.PRESENT, end - address);
            }
        };
    }
}
