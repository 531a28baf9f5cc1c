package dev.guestcore.internal.file;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Reads of files that have no name any more, so that their channel cannot be had again. */
public final class SteadyReads {

    private SteadyReads() {}

    /**
     * Reads as {@link FileChannel#read(ByteBuffer, long)} does, but in a thread that is interrupted too: there, that would
     * close the channel for all threads. The thread stays interrupted.
     */
    public static int read(FileChannel channel, ByteBuffer target, long position) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            return channel.read(target, position);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
