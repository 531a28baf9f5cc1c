package dev.guestcore.capture;

import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.format.WriteReport;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What became of a capture. Immutable. */
public final class CaptureReport {

    private final WriteReport written;
    private final Optional<Freeze> freeze;
    private final boolean inOnePass;
    private final Duration writing;
    private final List<Finding> findings;

    CaptureReport(
            WriteReport written, Optional<Freeze> freeze, boolean inOnePass, Duration writing, List<Finding> findings) {
        this.written = written;
        this.freeze = freeze;
        this.inOnePass = inOnePass;
        this.writing = writing;
        this.findings = List.copyOf(findings);
    }

    /** What was written, and what the format could not carry. */
    public WriteReport written() {
        return written;
    }

    /** How the guest was frozen; empty for a source that does not live. */
    public Optional<Freeze> freeze() {
        return freeze;
    }

    /** How long the guest stood still; empty for one that did not run. */
    public Optional<Duration> frozen() {
        return freeze.filter(Freeze::wasRunning).map(Freeze::elapsed);
    }

    /** Whether memory was written as it was read. */
    public boolean inOnePass() {
        return inOnePass;
    }

    /** How long it took to write the core, or what was left to write of it. */
    public Duration writing() {
        return writing;
    }

    /** What was found about the source, damage and all, and what others did to the guest meanwhile. */
    public List<Finding> findings() {
        return findings;
    }

    /** What was written and for how long the guest stood still. */
    @Override
    public String toString() {
        return "capture of 0x" + Long.toHexString(written.bytes()) + " bytes as " + written.format()
                + frozen().map(time -> ", frozen for " + time.toMillis() + " ms").orElse("");
    }
}
