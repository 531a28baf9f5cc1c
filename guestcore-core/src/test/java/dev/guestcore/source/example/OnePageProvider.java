package dev.guestcore.source.example;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import dev.guestcore.source.GuestSource;
import dev.guestcore.source.SourceProvider;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** A guest of one page of RAM, for the documentation. */
public final class OnePageProvider implements SourceProvider {
    @Override public String scheme() { return "onepage"; }
    @Override public String help() { return "onepage:WORD  a guest whose only page begins with WORD"; }
    @Override public GuestSource connect(String locator) {
        if (!locator.matches("\\w{1,64}")) {
            throw new SourceException("onepage:" + locator + ": this is no word; give one, as in onepage:hello");
        }
        byte[] page = Arrays.copyOf(locator.getBytes(StandardCharsets.UTF_8), 4096);
        return new GuestSource() {
            @Override public String description() { return "a guest of one page"; }
            @Override public List<MemoryRegion> regions() { return freeze().memory().regions(); }
            @Override public int vcpuCount() { return 1; }
            @Override public boolean isLive() { return false; }
            @Override public void close() {}
            @Override public Guest freeze() {
                return Guest.builder()
                        .ram(0x0, MemorySegment.ofArray(page))
                        .vcpu(RegisterState.builder().set(X86.RIP, 0x10).build())
                        .build();
            }
        };
    }
}
