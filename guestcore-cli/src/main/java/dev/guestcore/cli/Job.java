package dev.guestcore.cli;

/**
 * How far a whole command is, over all its phases. What is expected is an estimate: more shows as it comes, and a phase that
 * turns out not to be needed ends the job early. Not thread-safe.
 */
final class Job {

    private long expected;
    private long before;
    private long phaseTotal;
    private long phaseDone;
    private int passes;

    /** So many more bytes will be handled, in phases to come. */
    void expect(long bytes) {
        expected = sum(expected, Math.max(0, bytes));
    }

    /** So many phases will come of about as many bytes as the first of them turns out to have. */
    void expectPasses(int count) {
        passes += count;
    }

    /** A phase of so many bytes begins, and the one before is over. */
    void begin(long bytes) {
        // A phase that ended early was whole all the same.
        before = sum(before, phaseTotal);
        phaseTotal = Math.max(0, bytes);
        phaseDone = 0;
        passes = Math.max(0, passes - 1);
        long all = sum(before, phaseTotal);
        for (int i = 0; i < passes; i++) {
            all = sum(all, phaseTotal);
        }
        expected = Math.max(expected, all);
    }

    /** So many bytes more are done. */
    void advance(long bytes) {
        phaseDone += bytes;
    }

    /** Bytes done, of all phases. */
    long done() {
        return sum(before, Math.min(phaseDone, phaseTotal));
    }

    /** Bytes of all phases. */
    long total() {
        return expected;
    }

    /** The part that is done, from 0 to 1; less than it was where a phase began that nobody expected. */
    double share() {
        return expected <= 0 ? 1 : Math.min(1, (double) done() / expected);
    }

    private static long sum(long a, long b) {
        long sum = a + b;
        return sum < 0 ? Long.MAX_VALUE : sum;
    }
}
