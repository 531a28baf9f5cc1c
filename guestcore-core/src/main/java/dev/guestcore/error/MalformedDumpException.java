package dev.guestcore.error;

import dev.guestcore.report.Place;
import java.io.Serial;

/** A file breaks a rule of its format so badly that the request cannot be fulfilled. */
public final class MalformedDumpException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final String file;
    private final long offset;
    private final String field;
    private final String expected;
    private final String found;
    private final String remedy;

    /**
     * Creates the error.
     *
     * @param file name of the file
     * @param offset where in the file, in bytes from its start
     * @param field what is wrong ("e_phnum", "size of note VBCPU 3")
     * @param expected what the format asks for
     * @param found what stands there
     * @param remedy what the user can do, or an empty string
     */
    public MalformedDumpException(
            String file, long offset, String field, String expected, String found, String remedy) {
        super(file + ": at offset 0x" + Long.toHexString(offset) + ": " + field + ": expected " + expected + ", found "
                + found + (remedy.isEmpty() ? "" : "; " + remedy));
        this.file = file;
        this.offset = offset;
        this.field = field;
        this.expected = expected;
        this.found = found;
        this.remedy = remedy;
    }

    /** Name of the damaged file. */
    public String file() {
        return file;
    }

    /** Byte offset of the damage. */
    public long offset() {
        return offset;
    }

    /** The field that breaks the rule. */
    public String field() {
        return field;
    }

    @Override
    public Place place() {
        return Place.of(file, offset);
    }

    @Override
    public String expected() {
        return expected;
    }

    @Override
    public String found() {
        return found;
    }

    @Override
    public String remedy() {
        return remedy;
    }
}
