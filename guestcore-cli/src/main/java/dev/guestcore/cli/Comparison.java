package dev.guestcore.cli;

import dev.guestcore.inspect.GuestComparison;
import dev.guestcore.inspect.KindDifference;
import dev.guestcore.inspect.RangeTally;
import dev.guestcore.inspect.RegisterDifference;
import dev.guestcore.inspect.Sizes;
import dev.guestcore.inspect.StateDifference;
import dev.guestcore.inspect.VcpuDifference;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** How two guests differ, for people and programs. */
final class Comparison {

    private static final int MOST_LINES = 8;
    private static final String UNKNOWN = "unknown";

    private Comparison() {}

    /** Prints a comparison of {@code a} and {@code b}. */
    static void describe(GuestComparison result, String a, String b, Consumer<String> print, Style style) {
        print.accept("");
        print.accept(style.heading("compared with " + Printable.of(b)));
        boolean sameMemory = result.isSameMemory();
        print.accept("  memory     "
                + (sameMemory ? style.good("the same") : style.bad("differs")) + ", "
                + Sizes.human(result.comparedBytes()) + " compared");
        tally("differs", result.differing(), print);
        result.firstDifference()
                .ifPresent(address -> print.accept("    first at " + Json.address(address) + ", "
                        + Sizes.count(result.differingBytes()) + " bytes in all"));
        tally("only in " + Printable.of(a), result.onlyInA(), print);
        tally("only in " + Printable.of(b), result.onlyInB(), print);
        tally("device only in " + Printable.of(a), result.devicesOnlyInA(), print);
        tally("device only in " + Printable.of(b), result.devicesOnlyInB(), print);
        for (StateDifference state : result.states()) {
            tally(Names.of(state.inA()) + " here, " + Names.of(state.inB()) + " there", state.ranges(), print);
        }
        for (KindDifference kind : result.kinds()) {
            tally(Text.kind(kind.inA()) + " here, " + Text.kind(kind.inB()) + " there", kind.ranges(), print);
        }
        if (result.unknownBytes() > 0) {
            print.accept("    missing from both: " + Sizes.human(result.unknownBytes()));
        }
        print.accept("  registers  " + registers(result, style));
        if (result.vcpuCountA() != result.vcpuCountB()) {
            print.accept("    " + result.vcpuCountA() + " vCPUs here, " + result.vcpuCountB() + " there");
        }
        for (VcpuDifference vcpu : result.vcpus()) {
            List<RegisterDifference> registers = vcpu.registers();
            print.accept("    vCPU " + vcpu.position() + ": " + Text.counted(registers.size(), "register"));
            registers.stream()
                    .limit(MOST_LINES)
                    .forEach(register -> print.accept("      " + register.register().label() + ": "
                            + register.inA().orElse(UNKNOWN) + " here, "
                            + register.inB().orElse(UNKNOWN) + " there"));
            if (registers.size() > MOST_LINES) {
                print.accept("      … and " + (registers.size() - MOST_LINES) + " more (--json lists all)");
            }
        }
    }

    /** Whether both guests agree in all memory and in every register that both know. */
    static boolean agrees(GuestComparison result) {
        return result.isSameMemory() && registersAgree(result);
    }

    private static boolean registersAgree(GuestComparison result) {
        return result.vcpuCountA() == result.vcpuCountB()
                && result.architectureA() == result.architectureB()
                && result.vcpus().stream()
                        .flatMap(vcpu -> vcpu.registers().stream())
                        .noneMatch(RegisterDifference::isKnownInBoth);
    }

    private static String registers(GuestComparison result, Style style) {
        if (result.isSameRegisters()) {
            return style.good("the same");
        }
        return registersAgree(result)
                ? style.good("the same where both are known") + style.odd("; some are known on one side only")
                : style.bad("differ");
    }

    private static void tally(String what, RangeTally tally, Consumer<String> print) {
        if (tally.isEmpty()) {
            return;
        }
        print.accept("    " + what + ": " + Sizes.human(tally.bytes()) + " in "
                + Text.counted(tally.rangeCount(), "range"));
        tally.listed().stream().limit(MOST_LINES).forEach(range -> print.accept("      " + range));
        if (tally.rangeCount() > MOST_LINES) {
            print.accept("      … and " + Sizes.count(tally.rangeCount() - MOST_LINES) + " more (--json lists them)");
        }
    }

    /** The comparison for programs. */
    static Map<String, Object> json(GuestComparison result) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("identical", result.isIdentical());
        json.put("sameMemory", result.isSameMemory());
        json.put("sameRegisters", result.isSameRegisters());
        json.put("agree", agrees(result));
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
}
