package dev.guestcore.json;

import dev.guestcore.Finding;
import dev.guestcore.MemoryRegion;
import dev.guestcore.capture.CaptureReport;
import dev.guestcore.format.Check;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.inspect.GuestComparison;
import dev.guestcore.inspect.KindDifference;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.inspect.RangeTally;
import dev.guestcore.inspect.RegisterDifference;
import dev.guestcore.inspect.StateDifference;
import dev.guestcore.inspect.VcpuDifference;
import dev.guestcore.internal.text.Names;
import dev.guestcore.manifest.ManifestReport;
import dev.guestcore.manifest.ManifestReport.Change;
import dev.guestcore.manifest.ManifestReport.Companion;
import dev.guestcore.open.Verification;
import dev.guestcore.report.Reported;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What Guestcore reports, as trees that {@link Json} writes. {@code docs/json} has the schemas. Each tree is the caller's, who may
 * add to it.
 */
public final class ReportJson {

    private ReportJson() {}

    /** A finding. */
    public static Map<String, Object> of(Finding finding) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("severity", Names.of(finding.severity()));
        json.put("message", finding.message());
        json.putAll(parts(finding));
        return json;
    }

    /** What is known of a finding or an error beside its message: id, place, what was expected and found, what to do. */
    public static Map<String, Object> parts(Reported reported) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", reported.id());
        reported.place().file().ifPresent(file -> json.put("file", file));
        reported.place().offset().ifPresent(offset -> json.put("offset", offset));
        reported.place().address().ifPresent(address -> json.put("address", Json.address(address)));
        putText(json, "expected", reported.expected());
        putText(json, "found", reported.found());
        putText(json, "remedy", reported.remedy());
        putText(json, "source", reported.source());
        return json;
    }

    private static void putText(Map<String, Object> json, String name, String text) {
        if (!text.isEmpty()) {
            json.put(name, text);
        }
    }

    /** A loss. */
    public static Map<String, Object> of(Loss loss) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("what", loss.what());
        json.put("why", loss.why());
        json.put("kept", loss.kept());
        return json;
    }

    /** A check. */
    public static Map<String, Object> of(Check check) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", check.id());
        json.put("rule", check.rule());
        json.put("source", check.source());
        json.put("result", Names.of(check.result()));
        check.offset().ifPresent(offset -> json.put("offset", offset));
        json.put("expected", check.expected());
        json.put("found", check.found());
        json.put("readers", check.readers());
        return json;
    }

    /** Format and checks of a file. */
    public static Map<String, Object> of(Verification verification) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("format", verification.format());
        json.put("checks", verification.checks().stream().map(ReportJson::of).toList());
        return json;
    }

    /**
     * What became of a capture.
     *
     * @param output name of the file that was written
     */
    public static Map<String, Object> of(CaptureReport outcome, String output) {
        WriteReport written = outcome.written();
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("output", output);
        document.put("format", written.format());
        document.put("layout", written.layout());
        document.put("bytes", written.bytes());
        document.put("memoryBytes", written.memoryBytes());
        document.put("zeroBytes", written.zeroBytes());
        outcome.freeze().ifPresent(freeze -> document.put("freeze", freeze.method().label()));
        outcome.frozen().ifPresent(time -> document.put("frozenSeconds", time.toNanos() / 1e9));
        outcome.freeze()
                .filter(freeze -> !freeze.reading().isZero())
                .ifPresent(freeze -> document.put("readSeconds", freeze.reading().toNanos() / 1e9));
        document.put("writeSeconds", outcome.writing().toNanos() / 1e9);
        document.put("unreadableBytes", written.unreadableBytes());
        document.put("unreadable", written.unreadable().stream()
                .map(Json::range)
                .toList());
        document.put("losses", written.losses().stream().map(ReportJson::of).toList());
        document.put("findings", outcome.findings().stream().map(ReportJson::of).toList());
        return document;
    }

    /** A memory region. */
    public static Map<String, Object> of(MemoryRegion region) {
        Map<String, Object> json = new LinkedHashMap<>(Json.range(region.range()));
        json.put("kind", Names.of(region.kind()));
        json.put("name", region.name());
        return json;
    }

    /** What all pages hold. */
    public static Map<String, Object> of(MemoryScan result) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("pages", result.pages());
        json.put("presentPages", result.presentPages());
        json.put("zeroPages", result.zeroPages());
        json.put("excludedPages", result.excludedPages());
        json.put("unreadablePages", result.unreadablePages());
        json.put("absentPages", result.absentPages());
        json.put("distinctContents", result.distinctContents());
        json.put("duplicatePages", result.duplicatePages());
        json.put("exact", result.exact());
        json.put("unreadable", result.unreadable().listed().stream().map(Json::range).toList());
        return json;
    }

    /** How two guests differ; the first is "here", the other "there". */
    public static Map<String, Object> of(GuestComparison result) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("identical", result.isIdentical());
        json.put("sameMemory", result.isSameMemory());
        json.put("sameRegisters", result.isSameRegisters());
        json.put("agree", result.agrees());
        json.put("comparedBytes", result.comparedBytes());
        json.put("differingBytes", result.differingBytes());
        json.put("differing", json(result.differing()));
        json.put("onlyHere", json(result.onlyInA()));
        json.put("onlyThere", json(result.onlyInB()));
        json.put("devicesOnlyHere", json(result.devicesOnlyInA()));
        json.put("devicesOnlyThere", json(result.devicesOnlyInB()));
        List<Object> states = new ArrayList<>();
        for (StateDifference state : result.states()) {
            states.add(difference(Names.of(state.inA()), Names.of(state.inB()), state.ranges()));
        }
        json.put("states", states);
        List<Object> kinds = new ArrayList<>();
        for (KindDifference kind : result.kinds()) {
            kinds.add(difference(Names.of(kind.inA()), Names.of(kind.inB()), kind.ranges()));
        }
        json.put("kinds", kinds);
        json.put("unknownBytes", result.unknownBytes());
        json.put("vcpusHere", result.vcpuCountA());
        json.put("vcpusThere", result.vcpuCountB());
        List<Object> vcpus = new ArrayList<>();
        for (VcpuDifference vcpu : result.vcpus()) {
            Map<String, Object> registers = new LinkedHashMap<>();
            for (RegisterDifference register : vcpu.registers()) {
                Map<String, Object> values = new LinkedHashMap<>();
                register.inA().ifPresent(value -> values.put("here", value));
                register.inB().ifPresent(value -> values.put("there", value));
                registers.put(register.register().label(), values);
            }
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("index", vcpu.position());
            entry.put("registers", registers);
            vcpu.mode().ifPresent(mode -> entry.put("mode", Map.of("here", mode.inA(), "there", mode.inB())));
            vcpus.add(entry);
        }
        json.put("vcpus", vcpus);
        return json;
    }

    private static Map<String, Object> difference(String here, String there, RangeTally ranges) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("here", here);
        json.put("there", there);
        json.put("ranges", json(ranges));
        return json;
    }

    private static Map<String, Object> json(RangeTally tally) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("bytes", tally.bytes());
        json.put("pages", tally.pages());
        json.put("rangeCount", tally.rangeCount());
        json.put("ranges", tally.listed().stream().map(Json::range).toList());
        return json;
    }

    /** What a manifest says of a file. */
    public static Map<String, Object> of(ManifestReport report) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("matches", report.matches());
        json.put("relation", Names.of(report.relation()));
        json.put("expectedSize", report.expectedSize());
        json.put("size", report.size());
        json.put("expectedSha256", report.expectedSha256());
        if (!report.sha256().isEmpty()) {
            json.put("sha256", report.sha256());
        }
        report.modifiedAfterwards()
                .ifPresent(time -> json.put("modifiedAfterManifest", time.truncatedTo(ChronoUnit.SECONDS).toString()));
        json.put("changedMemoryPages", report.changedMemoryPages());
        json.put("changedFileBlocks", report.changedFilePages());
        json.put("changes", report.changes().stream().map(ReportJson::json).toList());
        json.put("companions", report.companions().stream().map(ReportJson::json).toList());
        return json;
    }

    private static Map<String, Object> json(Change change) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("part", Names.of(change.part()));
        json.put("first", Json.address(change.first()));
        json.put("last", Json.address(change.last()));
        json.put("pages", change.pages());
        change.region().ifPresent(region -> {
            json.put("region", Json.range(region.range()));
            json.put("kind", Names.of(region.kind()));
            json.put("name", region.name());
        });
        if (change.offset().isPresent()) {
            json.put("offset", Json.address(change.offset().getAsLong()));
        }
        return json;
    }

    private static Map<String, Object> json(Companion companion) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", companion.name());
        json.put("state", Names.of(companion.state()));
        return json;
    }
}
