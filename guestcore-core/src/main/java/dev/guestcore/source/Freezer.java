package dev.guestcore.source;

import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.RegionContents;
import dev.guestcore.RegionMemory;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.internal.freeze.FreezeBuffer;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The two ways that any live source has: its memory is copied while it is frozen, or it is frozen while it is used. */
public final class Freezer {

    private Freezer() {}

    /** How to look at the memory of a guest while it still runs, for planning. */
    @FunctionalInterface
    public interface Running {

        /** Lends the memory to {@code use}. */
        void look(Consumer<GuestMemory> use);
    }

    /** Takes a guest of which nothing is known before it is frozen, and that has no snapshots. */
    public static Guest take(GuestSource source, FreezeRequest request) {
        return take(source, request, Optional.empty(), unknownMemory(source));
    }

    /** The way that such a guest would be taken by. */
    public static FreezeChoice choose(GuestSource source, FreezeRequest request) {
        return choose(source, request, Optional.empty(), unknownMemory(source));
    }

    /** Memory of which nothing is known, so that a buffer has to hold all of it. */
    private static Running unknownMemory(GuestSource source) {
        return use -> use.accept(new RegionMemory(source.regions().stream()
                .map(region -> new RegionMemory.Part(
                        region, region.hasContent() ? (offset, target) -> 0 : RegionContents.absent()))
                .toList()));
    }

    /**
     * The way that {@link #take(GuestSource, FreezeRequest, Optional, Running)} would take now.
     *
     * @throws UnsupportedRequestException if the one that is asked for cannot be taken
     */
    public static FreezeChoice choose(
            GuestSource source, FreezeRequest request, Optional<String> noSnapshot, Running running) {
        refuseWays(source, request, noSnapshot);
        String reason = noSnapshot.map(why -> "no snapshot: " + why).orElse("");
        if (source.isLive() && !request.method().equals(Optional.of(FreezeMethod.DIRECT))) {
            try {
                running.look(memory -> FreezeBuffer.plan(memory).close());
                return new FreezeChoice(FreezeMethod.BUFFER, reason);
            } catch (FreezeBuffer.NoRoom e) {
                reason = withoutBuffer(request, noSnapshot, reason, e);
            }
        }
        return new FreezeChoice(FreezeMethod.DIRECT, reason);
    }

    private static void refuseWays(GuestSource source, FreezeRequest request, Optional<String> noSnapshot) {
        if (!source.isLive()) {
            request.method().ifPresent(method -> {
                throw new UnsupportedRequestException(source.description() + " does not run, so it need not be"
                        + " frozen; leave out '" + method.label() + "'");
            });
        } else if (request.method().equals(Optional.of(FreezeMethod.SNAPSHOT))) {
            throw new UnsupportedRequestException("no snapshot of this guest: "
                    + noSnapshot.orElse("only QEMU can take one") + "; use 'buffer' or 'direct'");
        }
    }

    private static String withoutBuffer(
            FreezeRequest request, Optional<String> noSnapshot, String reason, FreezeBuffer.NoRoom noRoom) {
        if (request.method().isPresent()) {
            throw new UnsupportedRequestException(noRoom.getMessage() + "; use 'direct'"
                    + (noSnapshot.isPresent() ? "" : ", or 'snapshot' where the source supports it"));
        }
        return reason + (reason.isEmpty() ? "" : "; ") + "no buffer: " + noRoom.getMessage();
    }

    /**
     * Takes a guest by one of the two ways.
     *
     * @param noSnapshot why it is not taken by a snapshot; empty if its source has none
     * @param running a look at the guest, to see how much of its memory is in use
     */
    public static Guest take(
            GuestSource source, FreezeRequest request, Optional<String> noSnapshot, Running running) {
        refuseWays(source, request, noSnapshot);
        if (!source.isLive()) {
            return source.freeze();
        }
        if (request.registersOnly() && request.method().isEmpty()) {
            request.onChoice().accept(new FreezeChoice(FreezeMethod.DIRECT, ""));
            source.prepare();
            return registersOf(source.freeze());
        }
        String reason = noSnapshot.map(why -> "no snapshot: " + why).orElse("");
        if (!request.method().equals(Optional.of(FreezeMethod.DIRECT))) {
            try {
                return byBuffer(source, request, reason, running);
            } catch (FreezeBuffer.NoRoom e) {
                reason = withoutBuffer(request, noSnapshot, reason, e);
            }
        }
        request.onChoice().accept(new FreezeChoice(FreezeMethod.DIRECT, reason));
        source.prepare();
        return source.freeze();
    }

    /** The guest without its memory; it runs again. */
    private static Guest registersOf(Guest frozen) {
        try (frozen) {
            GuestBuilder builder = Guest.builder()
                    .architecture(frozen.architecture())
                    .findings(frozen.findings())
                    .provenance(frozen.provenance());
            frozen.vcpus().forEach(vcpu -> builder.vcpu(vcpu.index(), vcpu.registers(), vcpu.rawContexts()));
            frozen.memory().regions().forEach(region -> builder.region(region, RegionContents.absent()));
            frozen.freeze().ifPresent(builder::freeze);
            return builder.build();
        }
    }

    private static Guest byBuffer(GuestSource source, FreezeRequest request, String reason, Running running) {
        AtomicReference<@Nullable FreezeBuffer> prepared = new AtomicReference<>();
        try {
            running.look(memory -> {
                FreezeBuffer buffer = FreezeBuffer.plan(memory);
                prepared.set(buffer);
                request.onChoice().accept(new FreezeChoice(FreezeMethod.BUFFER, reason));
                buffer.prepare(memory, request.progress());
            });
            source.prepare();
            FreezeBuffer buffer = Objects.requireNonNull(
                    prepared.get(), "the source does not give direct access to its memory");
            return buffer.take(source.freeze(), request.progress());
        } catch (RuntimeException | Error e) {
            FreezeBuffer buffer = prepared.get();
            if (buffer != null) {
                buffer.close();
            }
            throw e;
        }
    }
}
