package dev.guestcore;

/** Receives the progress of a long operation, and is asked whether to continue. Called from one thread at a time. */
public interface Progress {

    /**
     * A new phase begins.
     *
     * @param phase what is done, for the user ("writing memory")
     * @param totalBytes how many bytes it will handle
     */
    void begin(String phase, long totalBytes);

    /**
     * Some more bytes are done.
     *
     * @param bytes how many since the last call
     * @throws dev.guestcore.error.CancelledException to stop the operation in an orderly way
     */
    void advance(long bytes);

    /** Nobody looks, nobody cancels. */
    static Progress none() {
        return new Progress() {
            @Override
            public void begin(String phase, long totalBytes) {
                // nobody looks
            }

            @Override
            public void advance(long bytes) {
                // nobody looks
            }
        };
    }
}
