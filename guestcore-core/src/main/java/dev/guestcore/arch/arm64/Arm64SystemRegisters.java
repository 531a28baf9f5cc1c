package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.Register;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * System registers by the encoding in the instructions that access them: op0, op1, CRn, CRm, op2 (Arm Architecture Reference
 * Manual, part D23; sysreg-xml). Interfaces between hypervisors and their users number registers by it: KVM and QEMU take the
 * lower 16 bits of {@code op0 << 14 | op1 << 11 | CRn << 7 | CRm << 3 | op2} (Linux, arch/arm64/include/uapi/asm/kvm.h).
 * Immutable.
 */
public final class Arm64SystemRegisters {

    private static final String NAMED = """
            osdtrrx_el1 2,0,0,0,2; mdccint_el1 2,0,0,2,0; mdscr_el1 2,0,0,2,2; osdtrtx_el1 2,0,0,3,2;
            oseccr_el1 2,0,0,6,2; mdrar_el1 2,0,1,0,0; oslar_el1 2,0,1,0,4; oslsr_el1 2,0,1,1,4; osdlr_el1 2,0,1,3,4;
            dbgprcr_el1 2,0,1,4,4; dbgclaimset_el1 2,0,7,8,6; dbgclaimclr_el1 2,0,7,9,6; dbgauthstatus_el1 2,0,7,14,6;
            mdccsr_el0 2,3,0,1,0; dbgdtr_el0 2,3,0,4,0; dbgdtrtx_el0 2,3,0,5,0; dbgvcr32_el2 2,4,0,7,0;
            midr_el1 3,0,0,0,0; mpidr_el1 3,0,0,0,5; revidr_el1 3,0,0,0,6; id_pfr0_el1 3,0,0,1,0; id_pfr1_el1 3,0,0,1,1;
            id_dfr0_el1 3,0,0,1,2; id_afr0_el1 3,0,0,1,3; id_mmfr0_el1 3,0,0,1,4; id_mmfr1_el1 3,0,0,1,5;
            id_mmfr2_el1 3,0,0,1,6; id_mmfr3_el1 3,0,0,1,7; id_isar0_el1 3,0,0,2,0; id_isar1_el1 3,0,0,2,1;
            id_isar2_el1 3,0,0,2,2; id_isar3_el1 3,0,0,2,3; id_isar4_el1 3,0,0,2,4; id_isar5_el1 3,0,0,2,5;
            id_mmfr4_el1 3,0,0,2,6; id_isar6_el1 3,0,0,2,7; mvfr0_el1 3,0,0,3,0; mvfr1_el1 3,0,0,3,1;
            mvfr2_el1 3,0,0,3,2; id_pfr2_el1 3,0,0,3,4; id_dfr1_el1 3,0,0,3,5; id_mmfr5_el1 3,0,0,3,6;
            id_aa64pfr0_el1 3,0,0,4,0; id_aa64pfr1_el1 3,0,0,4,1; id_aa64pfr2_el1 3,0,0,4,2; id_aa64zfr0_el1 3,0,0,4,4;
            id_aa64smfr0_el1 3,0,0,4,5; id_aa64fpfr0_el1 3,0,0,4,7; id_aa64dfr0_el1 3,0,0,5,0; id_aa64dfr1_el1 3,0,0,5,1;
            id_aa64dfr2_el1 3,0,0,5,2; id_aa64afr0_el1 3,0,0,5,4; id_aa64afr1_el1 3,0,0,5,5; id_aa64isar0_el1 3,0,0,6,0;
            id_aa64isar1_el1 3,0,0,6,1; id_aa64isar2_el1 3,0,0,6,2; id_aa64isar3_el1 3,0,0,6,3;
            id_aa64mmfr0_el1 3,0,0,7,0; id_aa64mmfr1_el1 3,0,0,7,1; id_aa64mmfr2_el1 3,0,0,7,2;
            id_aa64mmfr3_el1 3,0,0,7,3; id_aa64mmfr4_el1 3,0,0,7,4; ccsidr_el1 3,1,0,0,0; clidr_el1 3,1,0,0,1;
            ccsidr2_el1 3,1,0,0,2; gmid_el1 3,1,0,0,4; smidr_el1 3,1,0,0,6; aidr_el1 3,1,0,0,7; csselr_el1 3,2,0,0,0;
            ctr_el0 3,3,0,0,1; dczid_el0 3,3,0,0,7; sctlr_el1 3,0,1,0,0; actlr_el1 3,0,1,0,1; cpacr_el1 3,0,1,0,2;
            sctlr2_el1 3,0,1,0,3; rgsr_el1 3,0,1,0,5; gcr_el1 3,0,1,0,6; zcr_el1 3,0,1,2,0; trfcr_el1 3,0,1,2,1;
            smpri_el1 3,0,1,2,4; smcr_el1 3,0,1,2,6; ttbr0_el1 3,0,2,0,0; ttbr1_el1 3,0,2,0,1; tcr_el1 3,0,2,0,2;
            tcr2_el1 3,0,2,0,3; apiakeylo_el1 3,0,2,1,0; apiakeyhi_el1 3,0,2,1,1; apibkeylo_el1 3,0,2,1,2;
            apibkeyhi_el1 3,0,2,1,3; apdakeylo_el1 3,0,2,2,0; apdakeyhi_el1 3,0,2,2,1; apdbkeylo_el1 3,0,2,2,2;
            apdbkeyhi_el1 3,0,2,2,3; apgakeylo_el1 3,0,2,3,0; apgakeyhi_el1 3,0,2,3,1; gcscr_el1 3,0,2,5,0;
            gcspr_el1 3,0,2,5,1; gcscre0_el1 3,0,2,5,2; spsr_el1 3,0,4,0,0; elr_el1 3,0,4,0,1; sp_el0 3,0,4,1,0;
            afsr0_el1 3,0,5,1,0; afsr1_el1 3,0,5,1,1; esr_el1 3,0,5,2,0; erridr_el1 3,0,5,3,0; errselr_el1 3,0,5,3,1;
            erxfr_el1 3,0,5,4,0; erxctlr_el1 3,0,5,4,1; erxstatus_el1 3,0,5,4,2; erxaddr_el1 3,0,5,4,3;
            erxmisc0_el1 3,0,5,5,0; erxmisc1_el1 3,0,5,5,1; tfsr_el1 3,0,5,6,0; tfsre0_el1 3,0,5,6,1; far_el1 3,0,6,0,0;
            par_el1 3,0,7,4,0; pmintenset_el1 3,0,9,14,1; pmintenclr_el1 3,0,9,14,2; pmmir_el1 3,0,9,14,6;
            mair_el1 3,0,10,2,0; mair2_el1 3,0,10,2,1; pire0_el1 3,0,10,2,2; pir_el1 3,0,10,2,3; por_el1 3,0,10,2,4;
            s2por_el1 3,0,10,2,5; amair_el1 3,0,10,3,0; amair2_el1 3,0,10,3,1; lorsa_el1 3,0,10,4,0;
            lorea_el1 3,0,10,4,1; lorn_el1 3,0,10,4,2; lorc_el1 3,0,10,4,3; mpamidr_el1 3,0,10,4,4; lorid_el1 3,0,10,4,7;
            mpam1_el1 3,0,10,5,0; mpam0_el1 3,0,10,5,1; vbar_el1 3,0,12,0,0; rvbar_el1 3,0,12,0,1; rmr_el1 3,0,12,0,2;
            isr_el1 3,0,12,1,0; disr_el1 3,0,12,1,1; contextidr_el1 3,0,13,0,1; tpidr_el1 3,0,13,0,4;
            accdata_el1 3,0,13,0,5; scxtnum_el1 3,0,13,0,7; cntkctl_el1 3,0,14,1,0; gcspr_el0 3,3,2,5,1; svcr 3,3,4,2,2;
            fpmr 3,3,4,4,2; dspsr_el0 3,3,4,5,0; dlr_el0 3,3,4,5,1; pmcr_el0 3,3,9,12,0; pmcntenset_el0 3,3,9,12,1;
            pmcntenclr_el0 3,3,9,12,2; pmovsclr_el0 3,3,9,12,3; pmswinc_el0 3,3,9,12,4; pmselr_el0 3,3,9,12,5;
            pmceid0_el0 3,3,9,12,6; pmceid1_el0 3,3,9,12,7; pmccntr_el0 3,3,9,13,0; pmxevtyper_el0 3,3,9,13,1;
            pmxevcntr_el0 3,3,9,13,2; pmuserenr_el0 3,3,9,14,0; pmovsset_el0 3,3,9,14,3; por_el0 3,3,10,2,4;
            tpidr_el0 3,3,13,0,2; tpidrro_el0 3,3,13,0,3; tpidr2_el0 3,3,13,0,5; scxtnum_el0 3,3,13,0,7;
            cntfrq_el0 3,3,14,0,0; cntpct_el0 3,3,14,0,1; cntvct_el0 3,3,14,0,2; cntp_tval_el0 3,3,14,2,0;
            cntp_ctl_el0 3,3,14,2,1; cntp_cval_el0 3,3,14,2,2; cntv_tval_el0 3,3,14,3,0; cntv_ctl_el0 3,3,14,3,1;
            cntv_cval_el0 3,3,14,3,2; pmccfiltr_el0 3,3,14,15,7; vpidr_el2 3,4,0,0,0; vmpidr_el2 3,4,0,0,5;
            sctlr_el2 3,4,1,0,0; actlr_el2 3,4,1,0,1; sctlr2_el2 3,4,1,0,3; hcr_el2 3,4,1,1,0; mdcr_el2 3,4,1,1,1;
            cptr_el2 3,4,1,1,2; hstr_el2 3,4,1,1,3; hfgrtr_el2 3,4,1,1,4; hfgwtr_el2 3,4,1,1,5; hfgitr_el2 3,4,1,1,6;
            hacr_el2 3,4,1,1,7; zcr_el2 3,4,1,2,0; trfcr_el2 3,4,1,2,1; hcrx_el2 3,4,1,2,2; smprimap_el2 3,4,1,2,5;
            smcr_el2 3,4,1,2,6; sder32_el2 3,4,1,3,1; ttbr0_el2 3,4,2,0,0; ttbr1_el2 3,4,2,0,1; tcr_el2 3,4,2,0,2;
            tcr2_el2 3,4,2,0,3; vttbr_el2 3,4,2,1,0; vtcr_el2 3,4,2,1,2; vncr_el2 3,4,2,2,0; vsttbr_el2 3,4,2,6,0;
            vstcr_el2 3,4,2,6,2; dacr32_el2 3,4,3,0,0; hdfgrtr_el2 3,4,3,1,4; hdfgwtr_el2 3,4,3,1,5;
            hafgrtr_el2 3,4,3,1,6; spsr_el2 3,4,4,0,0; elr_el2 3,4,4,0,1; sp_el1 3,4,4,1,0; spsr_irq 3,4,4,3,0;
            spsr_abt 3,4,4,3,1; spsr_und 3,4,4,3,2; spsr_fiq 3,4,4,3,3; ifsr32_el2 3,4,5,0,1; afsr0_el2 3,4,5,1,0;
            afsr1_el2 3,4,5,1,1; esr_el2 3,4,5,2,0; vsesr_el2 3,4,5,2,3; fpexc32_el2 3,4,5,3,0; tfsr_el2 3,4,5,6,0;
            far_el2 3,4,6,0,0; hpfar_el2 3,4,6,0,4; mair2_el2 3,4,10,1,1; mair_el2 3,4,10,2,0; pire0_el2 3,4,10,2,2;
            pir_el2 3,4,10,2,3; por_el2 3,4,10,2,4; s2pir_el2 3,4,10,2,5; amair_el2 3,4,10,3,0; amair2_el2 3,4,10,3,1;
            mpamhcr_el2 3,4,10,4,0; mpam2_el2 3,4,10,5,0; vbar_el2 3,4,12,0,0; rvbar_el2 3,4,12,0,1; rmr_el2 3,4,12,0,2;
            vdisr_el2 3,4,12,1,1; contextidr_el2 3,4,13,0,1; tpidr_el2 3,4,13,0,2; scxtnum_el2 3,4,13,0,7;
            cntvoff_el2 3,4,14,0,3; cntpoff_el2 3,4,14,0,6; cnthctl_el2 3,4,14,1,0; cnthp_tval_el2 3,4,14,2,0;
            cnthp_ctl_el2 3,4,14,2,1; cnthp_cval_el2 3,4,14,2,2; cnthv_tval_el2 3,4,14,3,0; cnthv_ctl_el2 3,4,14,3,1;
            cnthv_cval_el2 3,4,14,3,2; cnthvs_tval_el2 3,4,14,4,0; cnthvs_ctl_el2 3,4,14,4,1; cnthvs_cval_el2 3,4,14,4,2;
            cnthps_tval_el2 3,4,14,5,0; cnthps_ctl_el2 3,4,14,5,1; cnthps_cval_el2 3,4,14,5,2; sctlr_el3 3,6,1,0,0;
            actlr_el3 3,6,1,0,1; sctlr2_el3 3,6,1,0,3; scr_el3 3,6,1,1,0; sder32_el3 3,6,1,1,1; cptr_el3 3,6,1,1,2;
            zcr_el3 3,6,1,2,0; smcr_el3 3,6,1,2,6; mdcr_el3 3,6,1,3,1; ttbr0_el3 3,6,2,0,0; tcr_el3 3,6,2,0,2;
            gptbr_el3 3,6,2,1,4; gpccr_el3 3,6,2,1,6; spsr_el3 3,6,4,0,0; elr_el3 3,6,4,0,1; sp_el2 3,6,4,1,0;
            afsr0_el3 3,6,5,1,0; afsr1_el3 3,6,5,1,1; esr_el3 3,6,5,2,0; vsesr_el3 3,6,5,2,3; tfsr_el3 3,6,5,6,0;
            far_el3 3,6,6,0,0; mfar_el3 3,6,6,0,5; mair2_el3 3,6,10,1,1; mair_el3 3,6,10,2,0; pir_el3 3,6,10,2,3;
            por_el3 3,6,10,2,4; amair_el3 3,6,10,3,0; vbar_el3 3,6,12,0,0; rvbar_el3 3,6,12,0,1; rmr_el3 3,6,12,0,2;
            vdisr_el3 3,6,12,1,1; tpidr_el3 3,6,13,0,2; scxtnum_el3 3,6,13,0,7; cntps_tval_el1 3,7,14,2,0;
            cntps_ctl_el1 3,7,14,2,1; cntps_cval_el1 3,7,14,2,2
            """;

    /** Registers that there are several of, numbered in CRm (debug), or in CRm and op2 (counters). */
    private static final int SERIES = 16;

    private static final int COUNTERS = 31;

    private static final Map<String, Integer> ENCODINGS = encodings();
    private static final Map<Integer, String> LABELS = ENCODINGS.entrySet().stream()
            .collect(Collectors.toUnmodifiableMap(Map.Entry::getValue, Map.Entry::getKey));

    private Arm64SystemRegisters() {}

    /** Their names, for the table of all registers; those that only identify the processor come last. */
    static String labels() {
        return names(encoding -> op0(encoding) == 3 && crn(encoding) != 0) + " "
                + names(encoding -> op0(encoding) == 3 && crn(encoding) == 0);
    }

    /** The names of those for debuggers. */
    static String debugLabels() {
        return names(encoding -> op0(encoding) == 2);
    }

    private static String names(IntPredicate which) {
        return ENCODINGS.entrySet().stream()
                .filter(entry -> which.test(entry.getValue()))
                .sorted(Map.Entry.comparingByValue())
                .map(Map.Entry::getKey)
                .collect(Collectors.joining(" "));
    }

    private static int op0(int encoding) {
        return encoding >> 14 & 3;
    }

    private static int crn(int encoding) {
        return encoding >> 7 & 15;
    }

    /**
     * The register of an encoding, if it has a name here.
     *
     * @param encoding {@code op0 << 14 | op1 << 11 | CRn << 7 | CRm << 3 | op2}
     */
    public static Optional<Register> ofEncoding(int encoding) {
        return Optional.ofNullable(LABELS.get(encoding)).map(Arm64.TABLE::named);
    }

    /** The encoding in the form in which the manual writes registers without a name: {@code s3_0_c2_c0_0}. */
    public static String generic(int encoding) {
        return "s" + op0(encoding) + "_" + (encoding >> 11 & 7) + "_c" + crn(encoding) + "_c"
                + (encoding >> 3 & 15) + "_" + (encoding & 7);
    }

    private static int encoding(int op0, int op1, int crn, int crm, int op2) {
        return op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2;
    }

    private static Map<String, Integer> encodings() {
        Map<String, Integer> encodings = new HashMap<>();
        Stream.of(NAMED.split(";")).map(String::strip).forEach(entry -> {
            int blank = entry.indexOf(' ');
            int[] numbers = Stream.of(entry.substring(blank + 1).split(",")).mapToInt(Integer::parseInt).toArray();
            encodings.put(
                    entry.substring(0, blank), encoding(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]));
        });
        for (int i = 0; i < SERIES; i++) {
            encodings.put("dbgbvr" + i + "_el1", encoding(2, 0, 0, i, 4));
            encodings.put("dbgbcr" + i + "_el1", encoding(2, 0, 0, i, 5));
            encodings.put("dbgwvr" + i + "_el1", encoding(2, 0, 0, i, 6));
            encodings.put("dbgwcr" + i + "_el1", encoding(2, 0, 0, i, 7));
        }
        // Those of Arm's own processors, which the manual leaves to them and names by the encoding alone.
        for (int op1 : new int[] {0, 1, 6}) {
            for (int crm : new int[] {0, 1, 2, 3, 7, 8}) {
                for (int op2 = 0; op2 < 8; op2++) {
                    int encoding = encoding(3, op1, 15, crm, op2);
                    encodings.put(generic(encoding), encoding);
                }
            }
        }
        for (int op2 = 2; op2 <= 3; op2++) {
            encodings.put(generic(encoding(3, 1, 11, 0, op2)), encoding(3, 1, 11, 0, op2));
        }
        IntStream.range(0, COUNTERS).forEach(i -> {
            encodings.put("pmevcntr" + i + "_el0", encoding(3, 3, 14, 8 + i / 8, i % 8));
            encodings.put("pmevtyper" + i + "_el0", encoding(3, 3, 14, 12 + i / 8, i % 8));
        });
        return encodings;
    }
}
