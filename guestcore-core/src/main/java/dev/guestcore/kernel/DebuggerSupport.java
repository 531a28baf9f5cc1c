package dev.guestcore.kernel;

import java.util.Objects;

/**
 * What debuggers make of guests of one kind, as the format answers for its files. {@link DebuggerAdvice} puts it into commands.
 * It can say more one day: made by {@link #file()} and {@link #live()}, and changed by the {@code with} methods.
 */
public final class DebuggerSupport {

    private static final Reader UNKNOWN = new Reader(false, false, "does not know this kind of source");

    private final boolean file;
    private final Reader crash;
    private final Reader drgn;
    private final String volatility;
    private final boolean machineFrames;
    private final boolean programHeaders;

    /**
     * How a debugger takes the files.
     *
     * @param opens whether it opens them
     * @param takesNote whether it takes the kernel's load address from VMCOREINFO in a note
     * @param why the reason for the user, or empty
     */
    private record Reader(boolean opens, boolean takesNote, String why) {}

    private DebuggerSupport(
            boolean file, Reader crash, Reader drgn, String volatility, boolean machineFrames, boolean programHeaders) {
        this.file = file;
        this.crash = crash;
        this.drgn = drgn;
        this.volatility = volatility;
        this.machineFrames = machineFrames;
        this.programHeaders = programHeaders;
    }

    /** Files that crash and drgn do not know, and that Volatility 3 reads. */
    public static DebuggerSupport file() {
        return new DebuggerSupport(true, UNKNOWN, UNKNOWN, "", false, false);
    }

    /** A guest that is in no file. */
    public static DebuggerSupport live() {
        return new DebuggerSupport(false, UNKNOWN, UNKNOWN, "", false, false);
    }

    /** The same, where crash and drgn open the files, and take the load address from VMCOREINFO in a note. */
    public DebuggerSupport withNoteReaders() {
        Reader reader = new Reader(true, true, "");
        return new DebuggerSupport(file, reader, reader, volatility, machineFrames, programHeaders);
    }

    /**
     * The same, where crash does not open the files.
     *
     * @param why the sentence for the user ("crash needs EI_VERSION 1, and a VMCore has 0")
     */
    public DebuggerSupport withoutCrash(String why) {
        return new DebuggerSupport(file, reader(false, why), drgn, volatility, machineFrames, programHeaders);
    }

    /**
     * The same, where crash opens the files, but has to be told where the kernel is.
     *
     * @param why the sentence for the user
     */
    public DebuggerSupport withCrashThatMustBeTold(String why) {
        return new DebuggerSupport(file, reader(true, why), drgn, volatility, machineFrames, programHeaders);
    }

    /** The same, where drgn does not open the files; {@code why} is the sentence for the user. */
    public DebuggerSupport withoutDrgn(String why) {
        return new DebuggerSupport(file, crash, reader(false, why), volatility, machineFrames, programHeaders);
    }

    /** The same, where Volatility 3 does not read the files, or misses something; {@code why} is the sentence for the user. */
    public DebuggerSupport withoutVolatility(String why) {
        return new DebuggerSupport(file, crash, drgn, Objects.requireNonNull(why), machineFrames, programHeaders);
    }

    /** The same, where the files hold the machine frame numbers that the page tables of a Xen PV guest need. */
    public DebuggerSupport withMachineFrames() {
        return new DebuggerSupport(file, crash, drgn, volatility, true, programHeaders);
    }

    /** The same, where drgn finds the kernel by virtual addresses in program headers. */
    public DebuggerSupport withProgramHeaders() {
        return new DebuggerSupport(file, crash, drgn, volatility, machineFrames, true);
    }

    private static Reader reader(boolean opens, String why) {
        return new Reader(opens, false, Objects.requireNonNull(why));
    }

    boolean isFile() {
        return file;
    }

    boolean crashOpens() {
        return crash.opens;
    }

    boolean crashTakesNote() {
        return crash.takesNote;
    }

    String crashReason() {
        return crash == UNKNOWN ? "crash " + crash.why : crash.why;
    }

    boolean drgnOpens() {
        return drgn.opens;
    }

    String drgnReason() {
        return drgn == UNKNOWN ? "drgn " + drgn.why : drgn.why;
    }

    /** Why Volatility 3 needs another file; empty if it does not. */
    String volatilityReason() {
        return volatility;
    }

    boolean hasMachineFrames() {
        return machineFrames;
    }

    boolean needsProgramHeaders() {
        return programHeaders;
    }
}
