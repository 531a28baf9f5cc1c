package dev.guestcore;

import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * How a live guest is to be frozen.
 *
 * @param method the only way that will do; empty for the shortest one that is possible
 * @param folder where memory of the guest may be put aside in a file without a name, if it finds no room in memory
 * @param progress told how far the copy of memory is, and asked whether to go on
 * @param onChoice told of the way that is going to be taken, before the guest is stopped; once more if that way is refused at
 *     the last moment and another one is taken
 * @param registersOnly whether registers are all that is wanted: the guest runs again as soon as they are had, and has its
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
