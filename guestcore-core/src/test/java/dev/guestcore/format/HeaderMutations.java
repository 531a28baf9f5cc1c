package dev.guestcore.format;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.open.Guests;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/**
 * An experiment, run by hand: flips single bits of a dump between two offsets, and counts what opening and {@code verify} notice.
 * What passes both only a digest can tell (docs/verify.md, section 3).
 *
 * <pre>java … dev.guestcore.format.HeaderMutations FILE FROM TO COUNT</pre>
 */
final class HeaderMutations {

    private HeaderMutations() {}

    /** Prints one line, and the flips that nothing noticed. */
    public static void main(String[] arguments) throws Exception {
        Path original = Path.of(arguments[0]);
        byte[] bytes = Files.readAllBytes(original);
        int from = Integer.decode(arguments[1]);
        int to = Math.min(bytes.length, Integer.decode(arguments[2]));
        int count = Integer.parseInt(arguments[3]);
        Path copy = Files.createTempFile("mutation", ".dump");
        Random random = new Random(1);
        int noticed = 0;
        int noted = 0;
        StringBuilder passed = new StringBuilder();
        try {
            Files.write(copy, bytes);
            String before = notes(copy);
            for (int i = 0; i < count; i++) {
                int at = from + random.nextInt(to - from);
                int bit = random.nextInt(8);
                bytes[at] ^= (byte) (1 << bit);
                Files.write(copy, bytes);
                bytes[at] ^= (byte) (1 << bit);
                boolean failed;
                try {
                    failed = !Guests.verify(copy.toString(), false, Progress.none()).isPassed();
                } catch (GuestcoreException e) {
                    failed = true;
                }
                if (failed) {
                    noticed++;
                } else if (!notes(copy).equals(before)) {
                    noted++;
                } else {
                    passed.append(String.format(" %x.%d", at, bit));
                }
            }
        } finally {
            Files.delete(copy);
        }
        System.out.println(original.getFileName() + " " + arguments[1] + "-" + arguments[2] + ": " + count + " flips, "
                + noticed + " fail, " + noted + " noted, " + (count - noticed - noted) + " pass:" + passed);
    }

    private static String notes(Path path) {
        StringBuilder all = new StringBuilder();
        try (Guest guest = Guests.open(path)) {
            guest.findings().forEach(finding -> all.append(finding.message()).append('\n'));
        }
        try (FileBytes file = FileBytes.open(path)) {
            Guests.recognize(file).verify(file, false, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.NOTE)
                    .forEach(check -> all.append(check.id()).append(check.found()).append('\n'));
        }
        return all.toString();
    }
}
