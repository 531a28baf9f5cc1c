package dev.guestcore.fuzz;

import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.manifest.Manifest;
import dev.guestcore.manifest.ManifestReport;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** A manifest that may say anything; and a core that was changed behind its manifest's back, which must be seen. */
final class ManifestTarget implements Target {

    private static final String DIGEST = ",\n  \"before\": \"";

    private final Scratch core;
    private final Scratch text;
    private final byte[] content;
    private final byte[] written;
    private final Manifest manifest;

    ManifestTarget() throws IOException {
        Path folder = Files.createTempDirectory(Scratch.FOLDER, "manifest");
        // The manifest names its core, so the core has that name wherever it is changed.
        Path file = folder.resolve("guest.core");
        Manifest.write(Guests.format("elf").writer(Map.of()), Seeds.guests().getFirst(), file, Progress.none());
        content = Files.readAllBytes(file);
        written = Files.readAllBytes(Manifest.beside(file));
        manifest = Manifest.read(Manifest.beside(file));
        core = new Scratch("guest.core");
        text = new Scratch("other.manifest.json");
    }

    @Override
    public String name() {
        return "manifest";
    }

    @Override
    public String title() {
        return "manifests, and cores changed behind their back";
    }

    /** The first byte chooses; then the text of a manifest, or changes: three bytes say where, one how. */
    @Override
    public void run(byte[] input) throws IOException {
        if (input.length == 0) {
            return;
        }
        try {
            if ((input[0] & 1) == 0) {
                core.with(content);
                byte[] hostile = Arrays.copyOfRange(input, 1, input.length);
                use(Manifest.read(text.with((input[0] & 2) == 0 ? hostile : whole(hostile))));
            } else {
                change(input);
            }
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    /** With the digest of itself put right that a manifest ends in. */
    private static byte[] whole(byte[] manifest) {
        String all = new String(manifest, StandardCharsets.ISO_8859_1);
        int end = all.lastIndexOf(DIGEST);
        if (end < 0) {
            return manifest;
        }
        try {
            byte[] before = Arrays.copyOf(manifest, end);
            String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(before));
            return (all.substring(0, end) + DIGEST + digest + "\"\n}\n").getBytes(StandardCharsets.ISO_8859_1);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private void use(Manifest hostile) {
        String ignored = hostile.fileName() + hostile.fileSha256() + hostile.fileFormat() + hostile.fileSize();
        for (long i = 0; i < Math.min(hostile.regionCount(), 16); i++) {
            GuestWalk.require(hostile.regionSha256(i).length() == 64, "length of a digest", hostile.regionSha256(i));
            hostile.region(i).toString();
        }
        ManifestReport report = hostile.verify(core.path(), Progress.none());
        GuestWalk.require(
                !report.matches() || report.relation() != ManifestReport.Relation.SAME_FILE
                        || hostile.fileSha256().equals(manifest.fileSha256()),
                "the same file under another digest",
                report);
    }

    private void change(byte[] input) throws IOException {
        byte[] changed = content.clone();
        ByteBuffer in = ByteBuffer.wrap(input, 1, input.length - 1);
        while (in.remaining() >= Integer.BYTES) {
            int change = in.getInt();
            changed[(change >>> 8) % changed.length] ^= (byte) change;
        }
        if (in.hasRemaining()) {
            changed = Arrays.copyOf(changed, changed.length - 64 + (in.get() & 0x7f));
        }
        ManifestReport report = manifest.verify(core.with(changed), Progress.none());
        boolean same = Arrays.equals(content, changed);
        GuestWalk.require(report.matches() == same, "a core that " + (same ? "was not" : "was") + " changed", report);
    }

    /** Seeds are the same each time. */
    private static byte[] atFixedTime(byte[] manifest) {
        return whole(new String(manifest, StandardCharsets.ISO_8859_1)
                .replaceFirst("\"written\": \"[^\"]*\"", "\"written\": \"2026-01-31T12:00:00Z\"")
                .getBytes(StandardCharsets.ISO_8859_1));
    }

    @Override
    public List<byte[]> seeds() {
        List<byte[]> seeds = new ArrayList<>();
        byte[] text = atFixedTime(written);
        byte[] seed = new byte[text.length + 1];
        System.arraycopy(text, 0, seed, 1, text.length);
        seeds.add(seed);
        byte[] whole = seed.clone();
        whole[0] = 2;
        seeds.add(whole);
        seeds.add(new byte[] {1});
        seeds.add(new byte[] {1, 0, 0, 18, 1});
        seeds.add(new byte[] {1, 0, 16, 0, 4, 0, 8, 0, 4});
        seeds.add(new byte[] {1, 63});
        return seeds;
    }

    @Override
    public List<byte[]> dictionary() {
        List<byte[]> words = new ArrayList<>();
        for (String word : List.of(
                "\"format\":", "\"guestcore-manifest\"", "\"version\":", "\"file\":", "\"name\":", "\"size\":",
                "\"sha256\":",
                "\"regions\":", "\"pieces\":", "\"address\":", "\"kind\":", "\"ram\"", "\"device\"", "null", "-1",
                "[]", "{}",
                "\"0xffffffffffffffff\"", "18446744073709551615", "true", "\"../../\"")) {
            words.add(word.getBytes(StandardCharsets.US_ASCII));
        }
        return words;
    }

    @Override
    public int longest() {
        return written.length * 2;
    }
}
