package dev.guestcore.internal.file;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** Why the system refused, in words: the message of an exception of Java is often no more than the name of a file. */
public final class IoReason {

    private IoReason() {}

    /** The reason of an exception. */
    public static String of(IOException e) {
        if (e.getCause() instanceof OutOfMemoryError) {
            return "there is no address space left to map it; lift the limit (ulimit -v)";
        }
        return switch (e) {
            case AccessDeniedException denied -> "permission denied";
            case NoSuchFileException gone -> "no such file";
            case ClosedByInterruptException interrupted -> "the thread was interrupted";
            case FileSystemException other when other.getReason() != null -> other.getReason();
            default -> String.valueOf(e.getMessage());
        };
    }
}
