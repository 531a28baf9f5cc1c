package dev.guestcore.source;

import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
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
 * @param rehearsal what is going to be done with a guest that is held, so that it can be tried on the guest before that stands
 *     still: code is slow the first time. What it reads there is of no one instant and means nothing, it may fail, and it may
 *     be called several times, or never; it must not close the guest
 * @param placer where a snapshot may put memory as it comes, so that it is stored only once
 */
public record FreezeRequest(
        Optional<FreezeMethod> method,
        Path folder,
        Progress progress,
        Consumer<FreezeChoice> onChoice,
        boolean registersOnly,
        Optional<Consumer<Guest>> rehearsal,
        Optional<MemoryPlacer> placer) {

    /** Checks for null. */
    public FreezeRequest {
        Objects.requireNonNull(method);
        Objects.requireNonNull(folder);
        Objects.requireNonNull(progress);
        Objects.requireNonNull(onChoice);
        Objects.requireNonNull(rehearsal);
        Objects.requireNonNull(placer);
    }

    /** The shortest way that is possible; nobody is told, and the folder is that of temporary files. */
    public static FreezeRequest shortest() {
        return new FreezeRequest(
                Optional.empty(),
                Path.of(System.getProperty("java.io.tmpdir")),
                Progress.none(),
                choice -> {},
                false,
                Optional.empty(),
                Optional.empty());
    }

    /** That way or none; nobody is told, and the folder is that of temporary files. */
    public static FreezeRequest only(FreezeMethod method) {
        FreezeRequest any = shortest();
        return new FreezeRequest(
                Optional.of(method), any.folder, any.progress, any.onChoice, false, Optional.empty(), Optional.empty());
    }

    /** Only the registers, and for as long as it takes to have them. */
    public static FreezeRequest forRegisters() {
        FreezeRequest any = shortest();
        return new FreezeRequest(
                Optional.empty(), any.folder, any.progress, any.onChoice, true, Optional.empty(), Optional.empty());
    }

    /** Holds the guest, for a look at little of it that is rehearsed; nobody is told. */
    public static FreezeRequest forLook(Consumer<Guest> rehearsal) {
        FreezeRequest any = only(FreezeMethod.DIRECT);
        return new FreezeRequest(
                any.method,
                any.folder,
                any.progress,
                any.onChoice,
                any.registersOnly,
                Optional.of(rehearsal),
                any.placer);
    }

    /** The same with that folder. */
    public FreezeRequest withFolder(Path other) {
        return new FreezeRequest(method, other, progress, onChoice, registersOnly, rehearsal, placer);
    }

    /** The same with that progress. */
    public FreezeRequest withProgress(Progress other) {
        return new FreezeRequest(method, folder, other, onChoice, registersOnly, rehearsal, placer);
    }

    /** The same with that listener. */
    public FreezeRequest withListener(Consumer<FreezeChoice> other) {
        return new FreezeRequest(method, folder, progress, other, registersOnly, rehearsal, placer);
    }

    /** The same, where a snapshot may put memory there. */
    public FreezeRequest withPlacer(MemoryPlacer other) {
        return new FreezeRequest(
                method, folder, progress, onChoice, registersOnly, rehearsal, Optional.of(other));
    }
}
