package dev.guestcore.source.described;

import dev.guestcore.testing.Samples;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Turns the facts that went into a generated VirtualBox sample (its input.json) into a described guest. */
final class GeneratedSamples {

    private static final JsonMapper MAPPER = new JsonMapper();

    /** Rules 2 to 4 of the samples' page formula; rule 1, pages that fail, depends on the region. */
    private static final String PAGES = """
            [ { "pageNumber": { "multiply": 7, "add": 13 } },
              { "text": "VBOXPAGE", "pages": {} },
              { "address": { "add": "0xfffffffffffffff8" }, "pages": { "offset": 8, "size": 8 } },
              { "address": { "multiply": "0x9E3779B97F4A7C15" }, "pages": { "modulo": 512, "remainders": [5, 6] } },
              { "zero": true, "pages": { "modulo": 4, "remainders": [3] } } ]
            """;

    private static final Map<String, String> OTHER_NAMES = Map.ofEntries(
            Map.entry("SysEnter.cs", "sysenter_cs"),
            Map.entry("SysEnter.eip", "sysenter_eip"),
            Map.entry("SysEnter.esp", "sysenter_esp"),
            Map.entry("msrEFER", "efer"),
            Map.entry("msrSTAR", "star"),
            Map.entry("msrPAT", "pat"),
            Map.entry("msrLSTAR", "lstar"),
            Map.entry("msrCSTAR", "cstar"),
            Map.entry("msrSFMASK", "sfmask"),
            Map.entry("msrKERNELGSBASE", "kernel_gs_base"),
            Map.entry("aXcr[0]", "xcr0"),
            Map.entry("aXcr[1]", "xcr1"),
            Map.entry("msrApicBase", "apic_base"),
            Map.entry("msrTscAux", "tsc_aux"));

    private GeneratedSamples() {}

    /** The facts. */
    static JsonNode input(String sample) {
        return MAPPER.readTree(Samples.text(sample, "input.json"));
    }

    /** Name of a register that the facts call {@code name}. */
    static String label(String name) {
        String known = OTHER_NAMES.get(name);
        return known != null
                ? known
                : name.replace("_base", ".base").replace("_limit", ".limit").replace("_attr", ".attributes");
    }

    /** Name of the layout that the sample is in. */
    static String layout(JsonNode input) {
        String core = input.get("core").stringValue();
        return switch (core.substring(0, core.indexOf('-'))) {
            case "r32341" -> "r32341";
            case "4.0.0" -> "4.0";
            case "4.3.30" -> "4.2";
            case "5.0.10" -> "5.0";
            case "6.0.4" -> "5.1";
            case "7.0.10" -> "7.0";
            default -> throw new IllegalArgumentException(core);
        };
    }

    /** The description. */
    static String describe(JsonNode input) {
        ObjectNode guest = MAPPER.createObjectNode();
        guest.set("background", MAPPER.readTree(PAGES));
        ArrayNode regions = guest.putArray("regions");
        for (JsonNode range : input.get("ranges")) {
            long start = number(range.get("start"));
            long last = number(range.get("last"));
            String what = range.get("what").stringValue();
            String kind = range.get("mmio").booleanValue() ? "device" : what.startsWith("ROM") ? "rom" : "ram";
            ObjectNode region = regions.addObject()
                    .put("kind", kind)
                    .put("name", what)
                    .put("address", range.get("start").stringValue())
                    .put("size", last - start + 1);
            for (JsonNode failure : input.get("readFailures")) {
                long page = number(failure.get("addr"));
                if (page >= start && page <= last) {
                    region.withArray("contents")
                            .addObject()
                            .put("offset", page - start)
                            .put("size", 4096)
                            .put("unreadable", true);
                }
            }
        }
        ArrayNode vcpus = guest.putArray("vcpus");
        for (JsonNode cpu : input.get("cpus")) {
            ObjectNode vcpu = vcpus.addObject();
            ObjectNode registers = vcpu.putObject("registers");
            cpu.get("inputs")
                    .propertyStream()
                    .forEach(entry -> registers.put(label(entry.getKey()), entry.getValue().stringValue()));
            String hex = cpu.get("noteDescHex").stringValue();
            vcpu.putArray("rawContexts")
                    .addObject()
                    .put("kind", "vbox." + input.get("cpuPayloadType").stringValue() + "-" + hex.length() / 2)
                    .put("hex", hex);
        }
        guest.putObject("virtualbox")
                .put("version", input.get("vboxVersionField").stringValue())
                .put("revision", input.get("vboxRevision").longValue())
                .put("layout", layout(input));
        return guest.toPrettyString();
    }

    /** A number that the facts give as hexadecimal text. */
    static long number(JsonNode text) {
        return Long.parseUnsignedLong(text.stringValue().substring(2), 16);
    }
}
