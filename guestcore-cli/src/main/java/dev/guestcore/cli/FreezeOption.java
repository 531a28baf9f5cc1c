package dev.guestcore.cli;

import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The option of the commands that only look at a guest: how a live one is frozen for them. */
final class FreezeOption {

    @Option(
            names = "--freeze",
            paramLabel = "<way>",
            completionCandidates = FreezeWays.class,
            description = "How to freeze a live guest: ${COMPLETION-CANDIDATES}, as in 'guestcore capture'. Default: "
                    + "the way that stops it for the shortest time.")
    String way = "";

    @Mixin
    TimeoutOption timeout = new TimeoutOption();

    /** What a command wants of a guest. */
    enum Need {
        /** Registers and nothing else. */
        REGISTERS,
        /** A few pages: they are read sooner than a snapshot begins. */
        LITTLE,
        /** So much that the guest should run meanwhile. */
        MUCH
    }

    /** Shows something of a guest, and gives the exit code. */
    @FunctionalInterface
    interface Showing {

        /** Shows it. */
        int on(Guest guest) throws IOException;
    }

    /** A look of a command at one guest. Close it after the guest: it tells how long that stood still. */
    static final class Look implements AutoCloseable {

        private final Verb verb;
        private final TimeoutOption timeout;
        private final Optional<FreezeMethod> method;
        private @Nullable Guest guest;
        private boolean holding;
        /** Standard error is then for lines of JSON. */
        private boolean forPrograms;

        private Look(Verb verb, TimeoutOption timeout, Optional<FreezeMethod> method) {
            this.verb = verb;
            this.timeout = timeout;
            this.method = method;
        }

        /** Opens a core file or a live guest, to look at much of it or at its registers. */
        Guest open(String source, Need need, ProgressMode progress) {
            return open(source, need, progress, guest -> 0);
        }

        /**
         * Opens a core file or a live guest.
         *
         * @param show what is going to be done with it; if that needs little of a guest, it is rehearsed before the guest stops
         */
        Guest open(String source, Need need, ProgressMode progress, Showing show) {
            forPrograms = progress == ProgressMode.JSON;
            GuestSource found = timeout.source(verb, source, progress);
            Guest opened;
            try (ShownProgress shown = verb.progress(progress)) {
                opened = Guests.open(found, request(found.isLive() ? need : Need.MUCH, show).withProgress(shown));
            }
            guest = opened;
            boolean frozen = opened.freeze()
                    .filter(freeze -> freeze.wasRunning() && freeze.method() == FreezeMethod.DIRECT)
                    .isPresent();
            if (frozen && need != Need.REGISTERS) {
                // Nobody shall leave a guest frozen by leaving a pipe or a pager alone.
                verb.console().hold();
                holding = true;
            }
            return WatchedGuest.of(opened);
        }

        private FreezeRequest request(Need need, Showing show) {
            return method.map(FreezeRequest::only).orElseGet(() -> switch (need) {
                case REGISTERS -> FreezeRequest.forRegisters();
                case LITTLE -> FreezeRequest.forLook(guest -> rehearse(show, guest));
                case MUCH -> FreezeRequest.shortest();
            });
        }

        /** Whether the guest stands still until it is closed. */
        boolean isHolding() {
            return holding;
        }

        /** Nobody shall see it; whatever goes wrong goes wrong again, when it counts. */
        private void rehearse(Showing show, Guest guest) {
            verb.console().unheard(() -> {
                try {
                    show.on(WatchedGuest.of(guest));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }

        @Override
        public void close() {
            if (holding) {
                verb.console().release();
            }
            if (guest == null || forPrograms && !verb.console().speaksJson()) {
                return;
            }
            for (Freeze freeze : guest.freeze().stream().toList()) {
                if (freeze.wasRunning()) {
                    verb.afterwards("the guest stood still for " + Text.time(freeze.elapsed()) + " ("
                            + freeze.method().label() + ")");
                }
                for (Finding finding : freeze.findings()) {
                    verb.afterwards(Printable.of(finding.message()));
                }
            }
        }
    }

    /** Begins to look. */
    Look look(Verb verb) {
        return new Look(verb, timeout, FreezeWays.of(verb, way));
    }
}
