package dev.guestcore.linux.export;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.kernel.VmcoreInfoMaker;
import dev.guestcore.linux.Linux;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** Gives those who write dumps the VMCOREINFO of {@link VmcoreInfoExport}. Stateless and thread-safe. */
public final class LinuxVmcoreInfoMaker implements VmcoreInfoMaker {

    /** Creates it; for {@link java.util.ServiceLoader}. */
    public LinuxVmcoreInfoMaker() {}

    @Override
    public Optional<byte[]> make(Guest guest, Progress progress) {
        try {
            // Pages by machine address make other tables than the text could name.
            return guest.machineMemory().isPresent()
                    ? Optional.empty()
                    : Linux.find(guest, progress)
                            .map(MadeVmcoreInfo::of)
                            .map(text -> text.getBytes(StandardCharsets.ISO_8859_1));
        } catch (CancelledException e) {
            throw e;
        } catch (GuestcoreException e) {
            // The dump is no worse without the note than it was.
            return Optional.empty();
        }
    }
}
