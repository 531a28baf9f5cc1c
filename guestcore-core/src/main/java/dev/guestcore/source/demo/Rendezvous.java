package dev.guestcore.source.demo;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Brings all vCPUs to a stop at an instruction boundary. A vCPU asks {@link #isRequested()} before every instruction,
 * which costs one volatile read, and calls {@link #stop()} if it is. Each thaw opens the gate of one ticket: a vCPU
 * that has not yet left when the next freeze begins leaves all the same, and runs at least one instruction in between.
 */
final class Rendezvous {

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrival = lock.newCondition();
    private final Condition thaw = lock.newCondition();
    private volatile boolean requested;
    private int running;
    private int stopped;
    private long ticket;
    private boolean ended;

    /**
     * Begins with all vCPUs running.
     *
     * @param vcpus how many threads will take part; each ends with {@link #leave()}
     */
    Rendezvous(int vcpus) {
        running = vcpus;
    }

    /** Whether vCPUs should stop. */
    boolean isRequested() {
        return requested;
    }

    /**
     * Called by a vCPU between two instructions: waits for the thaw.
     *
     * @return whether the vCPU should go on; otherwise its thread should end
     */
    boolean stop() {
        lock.lock();
        try {
            if (ended) {
                return false;
            }
            long mine = ticket;
            stopped++;
            arrival.signalAll();
            while (mine == ticket && !ended) {
                thaw.awaitUninterruptibly();
            }
            return !ended;
        } finally {
            lock.unlock();
        }
    }

    /** Called by a vCPU whose thread ends, for whatever reason: nobody need wait for it. */
    void leave() {
        lock.lock();
        try {
            running--;
            arrival.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Stops all vCPUs and returns when they stand still; what they did is visible to the caller. */
    void freeze() {
        lock.lock();
        try {
            requested = true;
            while (stopped < running) {
                arrival.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Lets all vCPUs go on. */
    void thaw() {
        lock.lock();
        try {
            if (!ended) {
                requested = false;
                stopped = 0;
                ticket++;
                thaw.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Ends all vCPUs, running or stopped. */
    void end() {
        lock.lock();
        try {
            ended = true;
            requested = true;
            thaw.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
