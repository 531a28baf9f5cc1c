package dev.guestcore.serve.gdb;

/**
 * A thread-id of the protocol: {@code 1f}, or {@code p1.1f} with multiprocess extensions; -1 is all, 0 is any. The
 * guest is process 1, its vCPUs are threads from 1 on.
 *
 * @param process process number, -1 or 0; 1 where the client did not say
 * @param thread thread number, -1 or 0
 */
record ThreadId(long process, long thread) {

    private static final int MOST_DIGITS = 8;

    static ThreadId parse(String text) {
        if (!text.startsWith("p")) {
            return new ThreadId(1, number(text));
        }
        int dot = text.indexOf('.');
        return dot < 0
                ? new ThreadId(number(text.substring(1)), -1)
                : new ThreadId(number(text.substring(1, dot)), number(text.substring(dot + 1)));
    }

    private static long number(String text) {
        return text.equals("-1") ? -1 : Hex.number(text, MOST_DIGITS);
    }

    /** Whether it does not name one thread. */
    boolean isWildcard() {
        return thread <= 0;
    }

    /** Whether it names one of so many vCPUs. */
    boolean isOneOf(int vcpus) {
        return process <= 1 && thread >= 1 && thread <= vcpus;
    }

    /** The thread of a vCPU, from 0. */
    static String of(int vcpu, boolean multiprocess) {
        return (multiprocess ? "p1." : "") + Integer.toHexString(vcpu + 1);
    }
}
