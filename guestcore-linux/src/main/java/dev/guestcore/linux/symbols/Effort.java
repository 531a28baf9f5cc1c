package dev.guestcore.linux.symbols;

/** How much may still be tried: memory that was made to look like many tables must not take hours. Not thread-safe. */
final class Effort {

    private long left;

    Effort(long steps) {
        left = steps;
    }

    /** Takes so many steps, if they are left. */
    boolean spend(long steps) {
        left -= steps;
        return left >= 0;
    }

    boolean isSpent() {
        return left < 0;
    }
}
