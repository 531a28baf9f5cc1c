package dev.guestcore.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** What the build knows about itself. */
final class Build {

    private Build() {}

    /** The version of the program. */
    static String version() {
        Properties properties = new Properties();
        try (InputStream resource = Build.class.getResourceAsStream("build.properties")) {
            if (resource == null) {
                return "unknown";
            }
            properties.load(resource);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties.getProperty("version", "unknown");
    }
}
