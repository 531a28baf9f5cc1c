package dev.guestcore.cli;

import dev.guestcore.inspect.GuestComparison;
import dev.guestcore.inspect.KindDifference;
import dev.guestcore.inspect.RangeTally;
import dev.guestcore.inspect.RegisterDifference;
import dev.guestcore.inspect.StateDifference;
import dev.guestcore.inspect.VcpuDifference;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import java.util.List;
import java.util.function.Consumer;

/** How two guests differ, for people and programs. */
final class Comparison {

    private static final int MOST_LINES = 8;
    private static final String UNKNOWN = "unknown";

    private Comparison() {}

    /** How a comparison is put into words. Not thread-safe. */
    static final class Report {

        private final GuestComparison result;
        private final String a;
        private final String b;
        private final Consumer<String> print;
        private final Style style;
        private final long most;

        /**
         * Prints line by line.
         *
         * @param a name of the guest that is "here"
         * @param b name of the guest that is "there"
         * @param all whether to list everything, not only the first few of each
         */
        Report(GuestComparison result, String a, String b, boolean all, Consumer<String> print, Style style) {
            this.result = result;
            this.a = Printable.location(a);
            this.b = Printable.location(b);
            this.most = all ? Long.MAX_VALUE : MOST_LINES;
            this.print = print;
            this.style = style;
        }

        /** How memory differs. */
        Report memory() {
            boolean same = result.isSameMemory();
            print.accept("  memory     " + (same ? style.good("the same") : style.bad("differs")) + ", "
                    + Amounts.human(result.comparedBytes()) + " compared");
            tally("differs", result.differing());
            result.firstDifference()
                    .ifPresent(address -> print.accept("    first at " + Json.address(address) + ", "
                            + Amounts.count(result.differingBytes()) + " bytes in all"));
            tally("only in " + a, result.onlyInA());
            tally("only in " + b, result.onlyInB());
            tally("device only in " + a, result.devicesOnlyInA());
            tally("device only in " + b, result.devicesOnlyInB());
            for (StateDifference state : result.states()) {
                tally(Names.of(state.inA()) + " here, " + Names.of(state.inB()) + " there", state.ranges());
            }
            for (KindDifference kind : result.kinds()) {
                tally(Text.kind(kind.inA()) + " here, " + Text.kind(kind.inB()) + " there", kind.ranges());
            }
            if (result.unknownBytes() > 0) {
                print.accept("    missing from both: " + Amounts.human(result.unknownBytes()));
            }
            return this;
        }

        /** How registers differ. */
        Report registers() {
            print.accept("  registers  " + Comparison.registers(result, style));
            if (result.vcpuCountA() != result.vcpuCountB()) {
                print.accept("    " + result.vcpuCountA() + " vCPUs here, " + result.vcpuCountB() + " there");
            }
            for (VcpuDifference vcpu : result.vcpus()) {
                List<RegisterDifference> registers = vcpu.registers();
                vcpu.mode()
                        .ifPresent(mode -> print.accept("    vCPU " + vcpu.position() + ": " + mode.inA() + " here, "
                                + mode.inB() + " there"));
                print.accept("    vCPU " + vcpu.position() + ": " + Text.counted(registers.size(), "register"));
                registers.stream()
                        .limit(most)
                        .forEach(register -> print.accept("      " + register.register().label() + ": "
                                + register.inA().orElse(UNKNOWN) + " here, "
                                + register.inB().orElse(UNKNOWN) + " there"));
                if (registers.size() > most) {
                    print.accept("      … and " + (registers.size() - most) + " more (--json lists all)");
                }
            }
            return this;
        }

        private void tally(String what, RangeTally tally) {
            if (tally.isEmpty()) {
                return;
            }
            print.accept("    " + what + ": " + Amounts.human(tally.bytes()) + " in "
                    + Text.counted(tally.rangeCount(), "range"));
            tally.listed().stream().limit(most).forEach(range -> print.accept("      " + range));
            long left = tally.rangeCount() - Math.min(most, tally.listed().size());
            if (left > 0) {
                String remedy = tally.isCut() && most >= tally.listed().size() ? "" : " (--json lists them)";
                print.accept("      … and " + Amounts.count(left) + " more" + remedy);
            }
        }
    }

    /** Prints a comparison of {@code a} and {@code b} below something else. */
    static void describe(GuestComparison result, String a, String b, Consumer<String> print, Style style) {
        print.accept("");
        print.accept(style.heading("compared with " + Printable.location(b)));
        new Report(result, a, b, false, print, style).memory().registers();
    }

    private static String registers(GuestComparison result, Style style) {
        if (result.isSameRegisters()) {
            return style.good("the same");
        }
        return result.isSameWhereKnown()
                ? style.good("the same where both are known") + style.odd("; some are known on one side only")
                : style.bad("differ");
    }
}
