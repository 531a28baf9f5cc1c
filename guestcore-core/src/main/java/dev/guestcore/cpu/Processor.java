package dev.guestcore.cpu;

/** One processor of a guest, as far as its registers go. */
public interface Processor {

    /** Its number in the guest, from 0; there may be gaps. */
    int index();

    /** What is known of its registers. */
    RegisterState registers();
}
