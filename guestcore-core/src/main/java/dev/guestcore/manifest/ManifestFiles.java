package dev.guestcore.manifest;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.error.OutputException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.output.ForgetfulSink;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.MemorySegment;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.ObjectMapper;

/**
 * The manifest beside a core, and the line file for {@code sha256sum -c}, while the core is written. They get
 * their names when the core has its own. Closed before that, nothing is left of them. Not thread-safe.
 */
public final class ManifestFiles implements AutoCloseable {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Base64.Encoder BASE64 = Base64.getEncoder().withoutPadding();
    private static final int READ_BACK = 1 << 20;
    /** Less than this is digested before anybody could read a line about it. */
    private static final long WORTH_TELLING = 256L << 20;

    private final String tool;
    private final String coreName;
    private final OutputFile manifest;
    private final boolean beside;
    private final Optional<OutputFile> lines;
    private final MessageDigest contents = Sha256.begin();
    private final PieceTable memory = new PieceTable();
    private PieceTable pieces = memory;
    private RegionTable regions = new RegionTable.Builder().build();
    private @Nullable DigestingSink digests;
    private String pieceSeparator = "\n";
    private @Nullable WriteReport report;
    private Map<String, Object> guestFacts = Map.of();
    private List<Finding> findings = List.of();

    private ManifestFiles(String tool, String coreName, OutputFile manifest, boolean beside,
            Optional<OutputFile> lines) {
        this.tool = tool;
        this.coreName = coreName;
        this.manifest = manifest;
        this.beside = beside;
        this.lines = lines;
    }

    /**
     * Begins the files that belong to a core in a file.
     *
     * @param core name of the core
     * @param elsewhere name of the manifest, if it is not to be beside the core
     * @param tool name and version of the program
     * @throws OutputException if one of the names is taken, and must not be
     */
    public static ManifestFiles create(
            Path core, Optional<Path> elsewhere, OutputFile.IfExists ifExists, String tool) {
        Path manifestName = elsewhere.orElse(Manifest.beside(core));
        if (manifestName.toAbsolutePath().normalize().equals(core.toAbsolutePath().normalize())) {
            throw new OutputException(core + ": is the name of the core; give its manifest another one");
        }
        OutputFile manifest = OutputFile.create(manifestName, ifExists);
        try {
            OutputFile lines =
                    OutputFile.create(core.resolveSibling(core.getFileName() + Manifest.LINES_SUFFIX), ifExists);
            return new ManifestFiles(
                    tool, String.valueOf(core.getFileName()), manifest, elsewhere.isEmpty(), Optional.of(lines));
        } catch (RuntimeException | Error e) {
            manifest.close();
            throw e;
        }
    }

    /** Begins the manifest of a core that goes into a pipe. */
    public static ManifestFiles ofStream(Path manifestName, OutputFile.IfExists ifExists, String tool) {
        return new ManifestFiles(tool, "", OutputFile.create(manifestName, ifExists), false, Optional.empty());
    }

    /** A sink that passes on to {@code target} what it digests. */
    public CoreSink digesting(CoreSink target, Guest guest) {
        regions = RegionTable.of(guest.memory());
        DigestingSink sink = new DigestingSink(target, regions.ranges(), true, true, this::piece);
        digests = sink;
        text("{\n  \"format\": " + string(Manifest.FORMAT) + ",\n  \"version\": " + Manifest.VERSION
                + ",\n  \"pieces\": [");
        return sink;
    }

    /** Called by the digesting thread, and by this one when that has ended. */
    private void piece(Piece piece) {
        boolean inFile = piece.region() == Piece.FILE;
        if (!inFile) {
            pieces.add(piece.first(), piece.digest(), new byte[0]);
        }
        entry("{" + string(inFile ? "file" : "memory") + ":" + hex(piece.first()) + ",\"sha256\":\""
                + BASE64.encodeToString(piece.digest()) + "\",\"pages\":\"" + BASE64.encodeToString(piece.tags())
                + "\"}");
    }

    private void entry(String entry) {
        text(pieceSeparator + "    " + entry);
        pieceSeparator = ",\n";
    }

    private DigestingSink digests() {
        DigestingSink begun = digests;
        if (begun == null) {
            throw new IllegalStateException("nothing was written");
        }
        return begun;
    }

    /**
     * Notes the facts when the core is written, and the guest still open. A core whose memory did not come in order is
     * the one case in which memory is read again.
     */
    public void written(Guest guest, WriteReport written, Progress progress) {
        report = written;
        findings = Stream.concat(guest.findings().stream(), written.notes().stream()).toList();
        guestFacts = facts(guest);
        if (digests().isDisordered()) {
            digests().finish(progress);
            entry("{\"forget\":\"memory\"}");
            pieces = new PieceTable();
            try (DigestingSink again =
                    new DigestingSink(new ForgetfulSink(), regions.ranges(), false, true, this::piece)) {
                MemoryReader.tell(guest.memory(), regions.ranges(), again.memory(), progress);
                again.finish(progress);
            }
        }
    }

    private static Map<String, Object> facts(Guest guest) {
        Map<String, Object> facts = new LinkedHashMap<>();
        Provenance provenance = guest.provenance();
        facts.put("architecture", guest.architecture().name());
        facts.put("vcpus", guest.vcpus().size());
        facts.put("source", provenance.source());
        facts.put("sourceFormat", provenance.format());
        facts.put("sourceLayout", provenance.layout());
        provenance.hypervisor().ifPresent(name -> facts.put("hypervisor", name));
        provenance.hypervisorVersion().ifPresent(version -> facts.put("hypervisorVersion", version));
        provenance.takenAt().ifPresent(time -> facts.put("takenAt", time.toString()));
        return facts;
    }

    /**
     * Completes the files; the guest may run again by now.
     *
     * @param core the core, if it went to a file
     * @param companions what is written beside it
     * @param frozen how long the guest was frozen; empty for one that did not run
     */
    public void finish(
            Optional<OutputFile> core, List<OutputFile> companions, Optional<Duration> frozen, Progress progress) {
        WriteReport written = report;
        if (written == null) {
            throw new IllegalStateException("nothing was written");
        }
        DigestingSink sink = digests();
        long left = sink.position() - sink.digested();
        if (!sink.isPatched() && left > WORTH_TELLING) {
            progress.begin("digesting the file", left);
        }
        if (!sink.isDisordered()) {
            sink.finish(progress);
        }
        long size = sink.position();
        byte[] digest = sink.fileDigest();
        if (sink.isPatched()) {
            OutputFile file = core.orElseThrow(() -> new IllegalStateException("a pipe cannot be written over"));
            entry("{\"forget\":\"file\"}");
            digest = readBack(file, sink.segments(), progress);
        }
        Map<String, String> digestsByName = new LinkedHashMap<>();
        digestsByName.put(coreName, HexFormat.of().formatHex(digest));
        List<Map<String, Object>> beside = new ArrayList<>();
        for (OutputFile companion : companions) {
            String companionDigest = HexFormat.of().formatHex(digest(companion));
            beside.add(fileFacts(companion.name(), companion.sink().position(), companionDigest));
            digestsByName.put(companion.name(), companionDigest);
        }
        frozen.ifPresent(time -> guestFacts.put("frozenSeconds", time.toNanos() / 1e9));
        text("\n  ]");
        Map<String, Object> fileFacts = fileFacts(coreName, size, HexFormat.of().formatHex(digest));
        fileFacts.put("format", written.format());
        fileFacts.put("layout", written.layout());
        member("file", fileFacts);
        member("companions", beside);
        member("tool", tool);
        member("written", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        member("guest", guestFacts);
        writtenFacts(written);
        member("memoryInOtherForm", sink.toldMemory());
        segments(sink.segments());
        regions();
        manifest.sink()
                .write(MemorySegment.ofArray(SelfDigest.end(contents.digest()).getBytes(StandardCharsets.UTF_8)));
        lines.ifPresent(file -> writeLines(file, digestsByName));
    }

    private static Map<String, Object> fileFacts(String name, long size, String digest) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("name", name);
        facts.put("size", size);
        facts.put("sha256", digest);
        return facts;
    }

    private void writtenFacts(WriteReport written) {
        Map<String, Object> memoryFacts = new LinkedHashMap<>();
        memoryFacts.put("bytes", written.memoryBytes());
        memoryFacts.put("zeroBytes", written.zeroBytes());
        memoryFacts.put("unreadableBytes", written.unreadableBytes());
        member("memory", memoryFacts);
        list("unreadable", written.unreadable(), range -> Map.of(
                "first", "0x" + Long.toHexString(range.first()),
                "last", "0x" + Long.toHexString(range.last())));
        list("losses", written.losses(), ManifestFiles::loss);
        list("findings", findings, finding -> Map.of(
                "severity", lower(finding.severity()),
                "message", finding.message()));
    }

    private static Map<String, Object> loss(Loss loss) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("what", loss.what());
        facts.put("why", loss.why());
        facts.put("kept", loss.kept());
        return facts;
    }

    private <T> void list(String name, List<T> elements, Function<T, Map<String, Object>> facts) {
        text(",\n  " + string(name) + ": [");
        String separator = "\n    ";
        for (T element : elements) {
            text(separator + JSON.writeValueAsString(facts.apply(element)));
            separator = ",\n    ";
        }
        text("]");
    }

    private void segments(Extents segments) {
        text(",\n  \"segments\": [");
        for (long i = 0; i < segments.count(); i++) {
            text((i == 0 ? "\n" : ",\n") + "    [" + hex(segments.first(i)) + "," + hex(segments.value(i)) + ","
                    + hex(segments.last(i) - segments.first(i) + 1) + "]");
        }
        text("\n  ]");
    }

    private void regions() {
        text(",\n  \"regions\": [");
        pieces.sort();
        for (long i = 0; i < regions.ranges().count(); i++) {
            MemoryRegion region = regions.region(i);
            AddressRange range = region.range();
            text((i == 0 ? "\n" : ",\n") + "    {\"first\":" + hex(range.first()) + ",\"last\":" + hex(range.last())
                    + ",\"kind\":" + string(lower(region.kind())) + ",\"name\":" + string(region.name())
                    + ",\"sha256\":\"" + HexFormat.of().formatHex(pieces.regionDigest(regions.ranges(), i)) + "\"}");
        }
        text("\n  ]");
    }

    /** What was written over is known only now. */
    private byte[] readBack(OutputFile core, Extents segments, Progress progress) {
        try (WrittenFile file = new WrittenFile(core);
                DigestingSink again =
                        new DigestingSink(new ForgetfulSink(), regions.ranges(), true, false, this::piece)) {
            progress.begin("reading the file back for its digest", file.size());
            SegmentFeed.feed(file, segments, again, progress);
            again.finish(Progress.none());
            return again.fileDigest();
        }
    }

    private static byte[] digest(OutputFile written) {
        MessageDigest sha = Sha256.begin();
        try (WrittenFile file = new WrittenFile(written)) {
            byte[] buffer = new byte[READ_BACK];
            for (long offset = 0; offset < file.size();) {
                long count = file.read(offset, MemorySegment.ofArray(buffer));
                sha.update(buffer, 0, (int) count);
                offset += count;
            }
        }
        return sha.digest();
    }

    private void writeLines(OutputFile target, Map<String, String> digestsByName) {
        if (beside) {
            digestsByName.put(manifest.name(), HexFormat.of().formatHex(digest(manifest)));
        }
        Charset names = Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8"), StandardCharsets.UTF_8);
        digestsByName.forEach(
                (name, digest) -> target.sink().write(MemorySegment.ofArray(SumLine.of(digest, name).getBytes(names))));
    }

    private void member(String name, Object value) {
        text(",\n  " + string(name) + ": " + JSON.writeValueAsString(value));
    }

    private void text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        contents.update(bytes);
        manifest.sink().write(MemorySegment.ofArray(bytes));
    }

    private static String string(String text) {
        return JSON.writeValueAsString(text);
    }

    private static String hex(long value) {
        return "\"0x" + Long.toHexString(value) + "\"";
    }

    private static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /** The files, to be named when the core has its name. */
    public List<OutputFile> files() {
        return lines.isPresent() ? List.of(manifest, lines.get()) : List.of(manifest);
    }

    /** Gives the files of a core that went into a pipe their names. */
    public void commit() {
        files().forEach(OutputFile::commit);
    }

    @Override
    public void close() {
        DigestingSink begun = digests;
        if (begun != null) {
            begun.close();
        }
        manifest.close();
        lines.ifPresent(OutputFile::close);
    }
}
