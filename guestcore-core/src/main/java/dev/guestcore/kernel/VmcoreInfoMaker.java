package dev.guestcore.kernel;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import java.util.Optional;
import java.util.ServiceLoader;

/**
 * Makes the VMCOREINFO of a guest whose memory holds none from what else is there, for the formats whose readers need one. An
 * implementation is found by {@link ServiceLoader}; the module {@code dev.guestcore.linux} has one. It says in the text that it
 * was made ({@link dev.guestcore.facts.VmcoreInfoFacts#MADE}).
 */
public interface VmcoreInfoMaker {

    /** That a text was made, for the user. */
    Finding NOTE = Finding
            .note("the kernel's VMCOREINFO is not in memory, so Guestcore made one from symbols and types in memory;"
                    + " its line GUESTCORE=made says so");

    /**
     * Makes one.
     *
     * @param progress of what has to be read; may cancel
     * @return ASCII; empty if the guest runs no Linux, or none of which enough is known
     */
    Optional<byte[]> make(Guest guest, Progress progress);

    /**
     * What the first implementation makes that can make one.
     *
     * @param longest how many bytes there is room for
     */
    static Optional<byte[]> makeFor(Guest guest, int longest, Progress progress) {
        return ServiceLoader.load(VmcoreInfoMaker.class, VmcoreInfoMaker.class.getClassLoader()).stream()
                .flatMap(maker -> maker.get().make(guest, progress).stream())
                .filter(text -> text.length <= longest)
                .findFirst();
    }
}
