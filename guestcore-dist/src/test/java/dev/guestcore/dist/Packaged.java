package dev.guestcore.dist;

import java.nio.file.Path;

/** Where the build put what it packaged. */
final class Packaged {

    private Packaged() {}

    /** The archive. */
    static Path archive() {
        return path("dist.archive");
    }

    /** The Debian package. */
    static Path debianPackage() {
        return path("dist.package");
    }

    /** The jars that went into the runtime. */
    static Path modules() {
        return path("dist.modules");
    }

    /** The checkout of which all this was built. */
    static Path checkout() {
        return path("dist.checkout").normalize();
    }

    /** The JDK that runs Maven. */
    static Path javaOfMaven() {
        return path("dist.maven.java");
    }

    private static Path path(String property) {
        return Path.of(System.getProperty(property));
    }
}
