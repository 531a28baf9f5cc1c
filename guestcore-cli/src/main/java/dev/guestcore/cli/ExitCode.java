package dev.guestcore.cli;

/** What a command tells its caller; documented on the man page. */
final class ExitCode {

    /** Done. */
    static final int DONE = 0;
    /** Could not be done. */
    static final int FAILED = 1;
    /** The command line makes no sense. */
    static final int USAGE = 2;
    /** The input is damaged; the rest was read. */
    static final int DAMAGED = 3;
    /** The user stopped it with Ctrl-C. */
    static final int CANCELLED = 130;
    /** SIGTERM stopped it. */
    static final int TERMINATED = 143;
    /** SIGHUP stopped it: the terminal is gone. */
    static final int HUNG_UP = 129;

    private ExitCode() {}
}
