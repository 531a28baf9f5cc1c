package dev.guestcore.source.described;

/** Bytes that a description gives as they are: {@code hex}, or a part of a {@code file}. */
final class RawBytes {

    private static final int MOST = 1 << 20;

    private RawBytes() {}

    static byte[] read(JsonValue json, DescriptionFiles files, String... otherKeys) {
        boolean hexadecimal = json.has("hex");
        if (hexadecimal == json.has("file")) {
            throw json.error("either 'hex' or 'file'", hexadecimal ? "found both" : "found neither");
        }
        String[] own = hexadecimal ? new String[] {"hex"} : new String[] {"file", "fileOffset", "size"};
        String[] known = new String[otherKeys.length + own.length];
        System.arraycopy(otherKeys, 0, known, 0, otherKeys.length);
        System.arraycopy(own, 0, known, otherKeys.length, own.length);
        json.only(known);
        if (hexadecimal) {
            return json.get("hex").bytes();
        }
        DescriptionFiles.Slice slice = files.slice(json);
        if (slice.size() > MOST) {
            throw json.error("at most " + MOST + " bytes", "found " + slice.size());
        }
        return slice.file().bytes(slice.offset(), (int) slice.size(), json.path());
    }
}
