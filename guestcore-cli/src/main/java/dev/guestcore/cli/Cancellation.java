package dev.guestcore.cli;

import dev.guestcore.error.CancelledException;
import java.io.Closeable;
import java.io.IOException;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * The user's wish to stop (Ctrl-C, SIGTERM). Work is not torn down from outside but asked to unwind, so that a frozen
 * guest is thawed and an unfinished file deleted by whoever holds them. Thread-safe.
 */
final class Cancellation {

    private static final long PATIENCE_SECONDS = 30;

    private final CountDownLatch finished = new CountDownLatch(1);
    private boolean requested;
    private int sections;
    private volatile int exitCode = ExitCode.CANCELLED;
    private volatile int cancelled = ExitCode.CANCELLED;
    private Closeable blocking = () -> {};
    private Runnable waiting = () -> {};

    /** Whether the user wants to stop. */
    synchronized boolean isRequested() {
        return requested;
    }

    /** Throws if the user wants to stop. */
    void check() {
        if (isRequested()) {
            throw new CancelledException();
        }
    }

    /** Does work that must not be cut off in the middle. */
    <T> T unwinding(Callable<T> work) throws Exception {
        synchronized (this) {
            check();
            sections++;
        }
        try {
            return work.call();
        } finally {
            synchronized (this) {
                sections--;
            }
        }
    }

    /** Names what the work may hang on (a pipe that nobody reads); it is closed when the user wants to stop. */
    synchronized void closeOnRequest(Closeable channel) {
        blocking = channel;
    }

    /** What to wait for before the program ends on a request: a pager that has the terminal. */
    synchronized void onRequest(Runnable last) {
        waiting = last;
    }

    /** The user wants to stop. Gives whether there is work that has to unwind. */
    boolean request() {
        Closeable hangsOn;
        boolean working;
        synchronized (this) {
            requested = true;
            working = sections > 0;
            hangsOn = blocking;
        }
        try {
            hangsOn.close();
        } catch (IOException e) {
            // The program ends anyway, and the writer of that channel gets the same error and reports it.
            System.getLogger(Cancellation.class.getName()).log(System.Logger.Level.DEBUG, "closing the output", e);
        }
        return working;
    }

    /** The command has ended with that exit code. */
    void finish(int code) {
        exitCode = code;
        finished.countDown();
    }

    /** Turns the signals that end a program into a request. */
    void listenToSignals() {
        Runtime.getRuntime().addShutdownHook(new Thread(this::shutDown, "cancel"));
    }

    /** The exit code of a command that stops because the user wants it to: 128 and the number of the signal. */
    int exitCode() {
        return cancelled;
    }

    /** A shutdown hook is not told why it runs, but the virtual machine's thread for a signal bears that signal's name. */
    private static int exitCodeOfSignal() {
        Set<String> threads =
                Thread.getAllStackTraces().keySet().stream().map(Thread::getName).collect(Collectors.toSet());
        return threads.contains("SIGTERM handler")
                ? ExitCode.TERMINATED
                : threads.contains("SIGHUP handler") ? ExitCode.HUNG_UP : ExitCode.CANCELLED;
    }

    private void shutDown() {
        if (finished.getCount() == 0) {
            return;
        }
        cancelled = exitCodeOfSignal();
        if (request()) {
            try {
                finished.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        Runnable last;
        synchronized (this) {
            last = waiting;
        }
        last.run();
        if (exitCode != ExitCode.CANCELLED && exitCode != cancelled) {
            // The work was done, or had failed, before the wish reached it.
            Runtime.getRuntime().halt(exitCode);
        }
        // Else the virtual machine reports the signal, as every program does: 130 for SIGINT, 143 for SIGTERM.
    }
}
