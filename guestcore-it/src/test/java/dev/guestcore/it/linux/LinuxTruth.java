package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The files in which a guest wrote down what its kernel said: a tar archive. Immutable. */
public final class LinuxTruth {

    private static final int BLOCK = 512;
    private static final int NAME = 100;
    private static final int SIZE = 124;
    private static final int SIZE_LENGTH = 11;

    private final Path archive;
    private final Map<String, long[]> files;
    private final long end;

    private LinuxTruth(Path archive, Map<String, long[]> files, long end) {
        this.archive = archive;
        this.files = files;
        this.end = end;
    }

    /** Reads where each file lies. */
    static LinuxTruth read(Path archive) {
        Map<String, long[]> files = new TreeMap<>();
        try (FileChannel channel = FileChannel.open(archive)) {
            long at = 0;
            while (true) {
                byte[] header = bytes(channel, at, BLOCK);
                if (header[0] == 0) {
                    return new LinuxTruth(archive, files, at + 2 * BLOCK);
                }
                String text = new String(header, StandardCharsets.ISO_8859_1);
                String name = text.substring(0, NAME);
                long size = Long.parseLong(text.substring(SIZE, SIZE + SIZE_LENGTH), Byte.SIZE);
                String path = name.substring(0, name.indexOf('\0'));
                files.put(path.startsWith("/") ? path.substring(1) : path, new long[] {at + BLOCK, size});
                at += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Copies the archive at the start of a disk. */
    static void copy(Path disk, Path archive) throws IOException {
        long size = read(disk).end;
        try (FileChannel from = FileChannel.open(disk);
                FileChannel to = FileChannel.open(archive, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (long done = 0; done < size;) {
                done += from.transferTo(done, size - done, to);
            }
        }
    }

    private static byte[] bytes(FileChannel channel, long at, long size) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(size));
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, at + buffer.position()) < 0) {
                throw new EOFException();
            }
        }
        return buffer.array();
    }

    /** The content of a file ("proc/1/stat"). */
    public byte[] bytes(String name) {
        long[] place = files.get(name);
        assertNotNull(place, name);
        try (FileChannel channel = FileChannel.open(archive)) {
            return bytes(channel, place[0], place[1]);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The same as text, a character a byte. */
    public String text(String name) {
        return new String(bytes(name), StandardCharsets.ISO_8859_1);
    }

    /** The same as lines. */
    public List<String> lines(String name) {
        return List.of(text(name).split("\n"));
    }

    /** Whether there is such a file. */
    public boolean has(String name) {
        return files.containsKey(name);
    }

    /** The ids of all processes, ascending. */
    public List<Integer> processes() {
        return numbersBelow("proc/");
    }

    /** The ids of a process's threads, ascending. */
    public List<Integer> threads(int process) {
        return numbersBelow("proc/" + process + "/task/");
    }

    private List<Integer> numbersBelow(String folder) {
        return files.keySet().stream()
                .filter(name -> name.startsWith(folder)
                        && name.indexOf("/stat", folder.length()) == name.length() - "/stat".length())
                .map(name -> name.substring(folder.length(), name.length() - "/stat".length()))
                .filter(name -> name.chars().allMatch(Character::isDigit))
                .map(Integer::valueOf)
                .sorted()
                .toList();
    }

    /** A line of {@code /proc/PID/status} ("Uid"), behind its colon. */
    public String status(String folder, String key) {
        return lines(folder + "/status").stream()
                .filter(line -> line.startsWith(key + ":"))
                .map(line -> line.substring(key.length() + 1).strip())
                .findFirst()
                .orElse("");
    }

    /** The fields of {@code /proc/PID/stat} from the third on: the state letter is the first of them. */
    public List<String> stat(String folder) {
        String stat = text(folder + "/stat");
        return List.of(stat.substring(stat.lastIndexOf(')') + 2).strip().split(" "));
    }
}
