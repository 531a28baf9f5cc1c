package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.linux.Linux;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** What the commands share that show what a Linux guest was doing. */
abstract class LinuxVerb extends Verb {

    @Parameters(
            index = "0",
            paramLabel = "<source>",
            description = "A core file, or a live source such as qemu:SOCKET, of a Linux guest.")
    String source = "";

    private @Nullable Linux found;

    @Mixin
    ProgressOption progress = new ProgressOption();

    @Mixin
    FreezeOption freeze = new FreezeOption();

    @Mixin
    CacheOption cache = new CacheOption();

    LinuxVerb(Console console) {
        super(console);
    }

    /** Checks the options. */
    void check() {}

    /**
     * Shows it.
     *
     * @return the exit code, unless the guest turns out to be damaged
     */
    abstract int show(Guest guest);

    @Override
    public Integer call() throws Exception {
        check();
        return unwinding(this::look);
    }

    /** Opens the guest, shows it, and closes it. */
    final int look() {
        try (FreezeOption.Look look = freeze.look(this);
                Guest guest = look.open(source, FreezeOption.Need.LITTLE, progress.mode, this::show)) {
            int code = show(guest);
            int lost = found == null ? ExitCode.DONE : problems(found.problems());
            int damage = Math.max(lost, report(guest.findings()));
            return code == ExitCode.DONE ? damage : code;
        }
    }

    /** The kernel that runs in the guest. */
    final Linux linux(Guest guest) {
        try (ShownProgress shown = progress(progress.mode)) {
            Linux linux = Linux.of(guest, shown, cache.of(source));
            found = linux;
            return linux;
        }
    }
}
