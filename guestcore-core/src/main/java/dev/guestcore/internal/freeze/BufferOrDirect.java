package dev.guestcore.internal.freeze;

import dev.guestcore.FreezeChoice;
import dev.guestcore.FreezeMethod;
import dev.guestcore.FreezeRequest;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.GuestSource;
import dev.guestcore.RegionContents;
import dev.guestcore.UnsupportedRequestException;
import dev.guestcore.internal.memory.RegionMemory;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The two ways that any live source has: its memory is copied while it is frozen, or it is frozen while it is used. */
public final class BufferOrDirect {

    private BufferOrDirect() {}

    /** How to look at the memory of a guest while it still runs, for planning. */
    @FunctionalInterface
    public interface Running {

        /** Lends the memory to {@code use}. */
        void look(Consumer<GuestMemory> use);
    }

    /** Takes a guest of which nothing is known before it is frozen, and that has no snapshots. */
    public static Guest take(GuestSource source, FreezeRequest request) {
        return take(
                source,
                request,
                Optional.empty(),
                use -> use.accept(new RegionMemory(source.regions().stream()
                        .map(region -> new RegionMemory.Part(
                                region, region.hasContent() ? (offset, target) -> 0 : RegionContents.absent()))
                        .toList())));
    }

    /**
     * Takes a guest by one of the two ways.
     *
     * @param noSnapshot why it is not taken by a snapshot; empty if its source has none
     * @param running a look at the guest, to see how much of its memory is in use
     */
    public static Guest take(
            GuestSource source, FreezeRequest request, Optional<String> noSnapshot, Running running) {
        if (!source.isLive()) {
            request.method().ifPresent(method -> {
                throw new UnsupportedRequestException(source.description() + " does not run, so there is no way of"
                        + " freezing to choose; leave out '" + method.label() + "'");
            });
            return source.freeze();
        }
        if (request.method().equals(Optional.of(FreezeMethod.SNAPSHOT))) {
            throw new UnsupportedRequestException("no snapshot of this guest: "
                    + noSnapshot.orElse("only QEMU can take one") + "; take it by 'buffer' or 'direct'");
        }
        String reason = noSnapshot.map(why -> "no snapshot: " + why).orElse("");
        if (!request.method().equals(Optional.of(FreezeMethod.DIRECT))) {
            try {
                return byBuffer(source, request, reason, running);
            } catch (FreezeBuffer.NoRoom e) {
                if (request.method().isPresent()) {
                    throw new UnsupportedRequestException(e.getMessage() + "; take the guest by 'direct'"
                            + (noSnapshot.isPresent() ? "" : ", or by 'snapshot' where its source has it"));
                }
                reason += (reason.isEmpty() ? "" : "; ") + "no buffer: " + e.getMessage();
            }
        }
        request.onChoice().accept(new FreezeChoice(FreezeMethod.DIRECT, reason));
        source.prepare();
        return source.freeze();
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
            FreezeBuffer buffer = Objects.requireNonNull(prepared.get(), "the source did not lend its memory");
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
