package dev.guestcore.store.http;

import dev.guestcore.file.Fetched;
import java.lang.foreign.MemorySegment;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;

/** Takes as many bytes of an answer as there is room for, and ends the answer if more arrive. Thread-safe. */
final class RangeBody implements BodySubscriber<Long> {

    private final MemorySegment target;
    private final CompletableFuture<Long> done = new CompletableFuture<>();
    private Flow.@Nullable Subscription subscription;
    private boolean ended;
    private long count;

    /** Fills {@code target}; a target of no bytes ends the answer at once. */
    RangeBody(MemorySegment target) {
        this.target = target;
    }

    /** How many bytes have arrived; one more than there is room for if more arrived. */
    synchronized long count() {
        return count;
    }

    /** Ends the answer; nothing is written to the target from then on. */
    synchronized void end() {
        ended = true;
        if (subscription != null) {
            subscription.cancel();
        }
        done.complete(count);
    }

    @Override
    public CompletionStage<Long> getBody() {
        return done;
    }

    @Override
    public synchronized void onSubscribe(Flow.Subscription subscription) {
        this.subscription = subscription;
        if (ended || target.byteSize() == 0) {
            end();
        } else {
            subscription.request(Long.MAX_VALUE);
        }
    }

    @Override
    public synchronized void onNext(List<ByteBuffer> buffers) {
        for (ByteBuffer buffer : buffers) {
            if (ended) {
                return;
            }
            long room = target.byteSize() - count;
            long part = Math.min(room, buffer.remaining());
            MemorySegment.copy(MemorySegment.ofBuffer(buffer), 0, target, count, part);
            Fetched.bytes(buffer.remaining());
            count += part;
            if (part < buffer.remaining()) {
                count++;
                end();
            }
        }
    }

    @Override
    public synchronized void onError(Throwable failure) {
        ended = true;
        done.completeExceptionally(failure);
    }

    @Override
    public synchronized void onComplete() {
        ended = true;
        done.complete(count);
    }
}
