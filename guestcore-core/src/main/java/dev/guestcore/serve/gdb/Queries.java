package dev.guestcore.serve.gdb;

import dev.guestcore.AddressRange;
import dev.guestcore.PageRun;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.address.Translation;
import dev.guestcore.error.CancelledException;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchHit;
import dev.guestcore.search.SearchPattern;
import dev.guestcore.search.SearchSummary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/** The query packets of a session, {@code q...} and {@code Q...}. Not thread-safe. */
final class Queries {

    private static final String SEARCH = "qSearch:memory:";
    private static final String FEATURES = "qXfer:features:read:target.xml:";
    private static final String COMMAND = "qRcmd,";
    private static final String EXTRA_INFO = "qThreadExtraInfo,";
    private static final String REGION_INFO = "qMemoryRegionInfo:";
    private static final String PHYSICAL_MODE = "Qqemu.PhyMemMode:";
    private static final int THREADS_A_PACKET = 1000;

    private final PacketStream stream;
    private final GuestView view;
    private final ClientRegisters registers;
    private final Client client;
    private final Monitor monitor;
    private final Function<Vcpu, Optional<String>> names;
    private int nextThread;

    Queries(PacketStream stream, GuestView view, ClientRegisters registers, Client client,
            Function<Vcpu, Optional<String>> names) {
        this.names = names;
        this.stream = stream;
        this.view = view;
        this.registers = registers;
        this.client = client;
        this.monitor = new Monitor(stream, view);
    }

    void answer(String packet) throws IOException {
        if (packet.startsWith("qSupported")) {
            supported(packet.substring("qSupported".length()));
        } else if (packet.equals("QStartNoAckMode")) {
            stream.send("OK");
            stream.stopAcknowledging();
        } else if (packet.equals("QEnableErrorStrings")) {
            client.setNumberedTextErrors();
            stream.send("OK");
        } else if (packet.equals("qHostInfo")) {
            stream.send(registers.host());
        } else if (packet.startsWith(FEATURES) && registers.xml().isPresent()) {
            features(packet.substring(FEATURES.length()));
        } else if (packet.startsWith("qXfer:")) {
            // The protocol wants E00 for an annex that does not exist, and the empty reply for an object.
            stream.send(packet.startsWith("qXfer:features:read:") ? "E00" : "");
        } else if (packet.startsWith("qAttached")) {
            stream.send("1");
        } else if (packet.equals("qC")) {
            stream.send("QC" + ThreadId.of(view.selected(), client.multiprocess()));
        } else if (packet.equals("qfThreadInfo")) {
            nextThread = 0;
            threads();
        } else if (packet.equals("qsThreadInfo")) {
            threads();
        } else if (packet.startsWith(EXTRA_INFO)) {
            extraInfo(packet.substring(EXTRA_INFO.length()));
        } else if (packet.startsWith(SEARCH)) {
            search(packet.substring(SEARCH.length()));
        } else if (packet.startsWith(COMMAND)) {
            monitor.run(Hex.text(packet.substring(COMMAND.length())));
            stream.send("OK");
        } else if (packet.startsWith(REGION_INFO)) {
            regionInfo(Hex.number(packet.substring(REGION_INFO.length())));
        } else if (packet.startsWith("qSymbol:")) {
            stream.send("OK");
        } else if (packet.equals("qqemu.PhyMemMode")) {
            stream.send(view.isPhysical() ? "1" : "0");
        } else if (packet.startsWith(PHYSICAL_MODE)) {
            view.setPhysical(Hex.number(packet.substring(PHYSICAL_MODE.length())) != 0);
            stream.send("OK");
        } else {
            stream.send("");
        }
    }

    private void supported(String features) throws IOException {
        List<String> offered = Arrays.asList(features.split("[:;]", -1));
        List<String> reply = new ArrayList<>(List.of(
                "PacketSize=" + Integer.toHexString(PacketStream.LARGEST),
                "QStartNoAckMode+",
                "vContSupported+",
                "binary-upload+"));
        if (registers.xml().isPresent()) {
            reply.add(1, "qXfer:features:read+");
        }
        if (offered.contains("multiprocess+")) {
            client.setMultiprocess();
            reply.add("multiprocess+");
        }
        if (offered.contains("error-message+")) {
            client.setTextErrors();
            reply.add("error-message+");
        } else if (offered.contains("qRelocInsn+")) {
            // Only gdb says that, and every gdb that does reads errors with a text.
            client.setTextErrors();
        }
        stream.send(String.join(";", reply));
    }

    private void features(String range) throws IOException {
        int comma = range.indexOf(',');
        if (comma < 0) {
            throw RequestException.invalid("a range of the target description");
        }
        byte[] xml = registers.xml().orElse("").getBytes(StandardCharsets.US_ASCII);
        long offset = Hex.number(range.substring(0, comma), 8);
        long wanted = Hex.number(range.substring(comma + 1), 8);
        int start = (int) Math.min(offset, xml.length);
        int size = (int) Math.min(Math.min(wanted, xml.length - start), PacketStream.LARGEST / 2 - 1);
        byte[] reply = new byte[size + 1];
        reply[0] = (byte) (start + size < xml.length ? 'm' : 'l');
        System.arraycopy(xml, start, reply, 1, size);
        stream.send(reply);
    }

    private void threads() throws IOException {
        int count = Math.min(THREADS_A_PACKET, view.vcpus().size() - nextThread);
        if (count <= 0) {
            stream.send("l");
            return;
        }
        List<String> ids = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            ids.add(ThreadId.of(nextThread + i, client.multiprocess()));
        }
        nextThread += count;
        stream.send("m" + String.join(",", ids));
    }

    private void extraInfo(String text) throws IOException {
        ThreadId id = ThreadId.parse(text);
        if (!id.isOneOf(view.vcpus().size())) {
            throw RequestException.invalid("thread 0x" + Long.toHexString(id.thread()));
        }
        Vcpu vcpu = view.vcpus().get((int) id.thread() - 1);
        String unknown = client.isLldb()
                ? ""
                : view.architecture()
                        .instructionPointer()
                        .filter(pointer -> !vcpu.registers().knows(pointer))
                        .map(pointer -> pointer.label() + " 0 is not the guest's")
                        .or(() -> Optional.of("pc 0 is not the guest's").filter(pc -> registers.xml().isEmpty()))
                        .orElse("");
        stream.send(Hex.ofText(view.guest().vcpus().isEmpty()
                ? "the source has no registers" + (unknown.isEmpty() ? "" : ", " + unknown)
                : names.apply(vcpu).map(Monitor::clean).orElse("vCPU " + vcpu.index()) + ": "
                        + view.architecture().describe(vcpu.registers())
                        + (unknown.isEmpty() ? "" : "; " + unknown)));
    }

    /** The first place of some bytes. Memory that is not there is passed over. */
    private void search(String text) throws IOException {
        int first = text.indexOf(';');
        int second = text.indexOf(';', first + 1);
        if (first < 0 || second < 0) {
            throw RequestException.invalid("a search of memory");
        }
        long address = Hex.number(text.substring(0, first));
        long size = Hex.number(text.substring(first + 1, second));
        byte[] needle = text.substring(second + 1).getBytes(StandardCharsets.ISO_8859_1);
        if (size == 0 || needle.length == 0) {
            stream.send("0");
            return;
        }
        long last = address + (size - 1);
        AddressRange range = new AddressRange(address, Long.compareUnsigned(last, address) < 0 ? -1L : last);
        MemorySearch search =
                MemorySearch.of(SearchPattern.bytes(needle)).in(range).limit(1).context(0);
        List<SearchHit> hits = new ArrayList<>();
        run(view, search, hits::add, new KeepAlive(stream));
        stream.send(hits.isEmpty() ? "0" : "1," + Long.toHexString(hits.getFirst().address()));
    }

    static SearchSummary run(GuestView view, MemorySearch search, Consumer<SearchHit> consumer, Progress progress) {
        if (view.isPhysical()) {
            return search.physical(view.guest().memory(), consumer, progress);
        }
        return search.virtual(view.space(), consumer, progress);
    }

    /** What lldb wants to know of the memory at an address, up to where it changes. */
    private void regionInfo(long address) throws IOException {
        PageRun run = view.memory().runAt(address);
        long length = run.range().last() - address;
        String size = length == -1L ? "ffffffffffffffff" : Long.toHexString(length + 1);
        String text = "start:" + Long.toHexString(address) + ";size:" + size + ";";
        stream.send(run.state().isReadable() ? text + "permissions:" + permissions(address) + ";" : text);
    }

    private String permissions(long address) {
        if (view.isPhysical()) {
            return "rw";
        }
        Optional<Translation> mapped = Optional.of(view.space().translate(address)).filter(Translation::isMapped);
        return mapped.flatMap(Translation::rights)
                .map(rights -> "r" + (rights.writable() ? "w" : "") + (rights.executable() ? "x" : ""))
                .orElse("");
    }

    /** Sends a byte every second so that the client goes on waiting, and stops the work when it has left. */
    static final class KeepAlive implements Progress {

        private static final long INTERVAL = 1_000_000_000L;

        private final PacketStream stream;
        private long last = System.nanoTime();

        KeepAlive(PacketStream stream) {
            this.stream = stream;
        }

        @Override
        public void begin(String phase, long totalBytes) {
            // the client has no place to show it
        }

        @Override
        public void advance(long bytes) {
            long now = System.nanoTime();
            if (now - last > INTERVAL) {
                last = now;
                try {
                    stream.keepAlive();
                } catch (IOException e) {
                    throw new CancelledException();
                }
            }
        }
    }
}
