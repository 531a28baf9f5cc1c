package dev.guestcore.linux.export;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Writes JSON as it comes, because a symbol table is larger than the heap may be. Not thread-safe. */
final class JsonText {

    private static final int CONTROL = 0x20;

    private final BufferedWriter out;
    private boolean first = true;

    JsonText(OutputStream target) {
        out = new BufferedWriter(new OutputStreamWriter(target, StandardCharsets.UTF_8));
    }

    /** Begins an object. */
    JsonText begin() {
        separate();
        raw("{");
        first = true;
        return this;
    }

    /** Begins an object that is the value of a key. */
    JsonText begin(String key) {
        key(key);
        raw("{");
        first = true;
        return this;
    }

    JsonText end() {
        raw("}");
        first = false;
        return this;
    }

    /** Writes a value that is JSON already. */
    JsonText value(String key, String json) {
        key(key);
        raw(json);
        first = false;
        return this;
    }

    JsonText text(String key, String value) {
        key(key);
        quote(value);
        first = false;
        return this;
    }

    JsonText number(String key, long value) {
        return value(key, Long.toString(value));
    }

    JsonText truth(String key, boolean value) {
        return value(key, Boolean.toString(value));
    }

    private void key(String key) {
        separate();
        quote(key);
        raw(":");
    }

    private void separate() {
        if (!first) {
            raw(",");
        }
        first = true;
    }

    private void quote(String text) {
        StringBuilder quoted = new StringBuilder(text.length() + 2).append('"');
        for (int i = 0; i < text.length(); i++) {
            char each = text.charAt(i);
            if (each == '"' || each == '\\') {
                quoted.append('\\').append(each);
            } else if (each < CONTROL) {
                quoted.append("\\u%04x".formatted((int) each));
            } else {
                quoted.append(each);
            }
        }
        raw(quoted.append('"').toString());
    }

    private void raw(String text) {
        try {
            out.write(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Hands on what is written so far. */
    void flush() throws IOException {
        out.flush();
    }
}
