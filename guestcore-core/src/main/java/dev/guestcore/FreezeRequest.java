package dev.guestcore;

import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * How a live guest is to be frozen.
 *
 * @param method the required method; empty for the possible one with the shortest freeze
 * @param folder where memory of the guest may be stored in a file without a name, if it does not fit into memory
 * @param progress receives the progress of the copy, and is asked whether to continue
 * @param onChoice receives the method before the guest is stopped; called again if that method is refused at the last moment and
 *     another one is used
 * @param registersOnly whether only registers are wanted: the guest runs again as soon as they are read, and has its
 *     regions but none of their content
 */
public record FreezeRequest(
        Optional<FreezeMethod> method,
        Path folder,
        Progress progress,
        Consumer<FreezeChoice> onChoice,
        boolean registersOnly) {

    /** Checks for null. */
    public FreezeRequest {
        Objects.requireNonNull(method);
        Objects.requireNonNull(folder);
        Objects.requireNonNull(progress);
        Objects.requireNonNull(onChoice);
    }

    /** The shortest way that is possible; nobody is told, and the folder is that of temporary files. */
    public static FreezeRequest shortest() {
        return new FreezeRequest(
                Optional.empty(), Path.of(System.getProperty("java.io.tmpdir")), Progress.none(), choice -> {}, false);
    }

    /** That way or none; nobody is told, and the folder is that of temporary files. */
    public static FreezeRequest only(FreezeMethod method) {
        FreezeRequest any = shortest();
        return new FreezeRequest(Optional.of(method), any.folder, any.progress, any.onChoice, false);
    }

    /** Only the registers, and for as long as it takes to have them. */
    public static FreezeRequest forRegisters() {
        FreezeRequest any = shortest();
        return new FreezeRequest(Optional.empty(), any.folder, any.progress, any.onChoice, true);
    }

    /** The same with that folder. */
    public FreezeRequest withFolder(Path other) {
        return new FreezeRequest(method, other, progress, onChoice, registersOnly);
    }

    /** The same with that progress. */
    public FreezeRequest withProgress(Progress other) {
        return new FreezeRequest(method, folder, other, onChoice, registersOnly);
    }

    /** The same with that listener. */
    public FreezeRequest withListener(Consumer<FreezeChoice> other) {
        return new FreezeRequest(method, folder, progress, other, registersOnly);
    }
}
