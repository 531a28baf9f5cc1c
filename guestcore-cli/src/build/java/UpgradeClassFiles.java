import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.constant.ClassDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collections;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Gives the classes of a jar that are older than Java 6 the stack maps and the version of Java 8. The JVM's start-up cache
 * takes no class without stack maps, so a library compiled for Java 5 (picocli) is loaded and verified anew at every start,
 * which takes as long as all the rest. What the code does stays as it is. The same jar gives the same bytes; a jar with
 * nothing to do is left alone.
 *
 * <p>Run as {@code java UpgradeClassFiles.java JAR}.
 */
public final class UpgradeClassFiles {

    private UpgradeClassFiles() {}

    /** Works on the jar that is named first. */
    public static void main(String[] arguments) throws IOException {
        Path path = Path.of(arguments[0]);
        Path upgraded = path.resolveSibling(path.getFileName() + ".upgraded");
        try (JarFile jar = new JarFile(path.toFile())) {
            ClassFile tool = ClassFile.of(
                    ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
                    ClassFile.ClassHierarchyResolverOption.of(ClassHierarchyResolver.ofResourceParsing(
                                    (ClassDesc name) -> open(jar, name))
                            .orElse(ClassHierarchyResolver.defaultResolver())
                            .cached()));
            List<JarEntry> entries = Collections.list(jar.entries());
            if (entries.stream().noneMatch(entry -> isOld(jar, entry))) {
                return;
            }
            try (OutputStream file = Files.newOutputStream(upgraded);
                    ZipOutputStream target = new ZipOutputStream(file)) {
                for (JarEntry entry : entries) {
                    byte[] bytes = read(jar, entry);
                    ZipEntry copy = new ZipEntry(entry.getName());
                    copy.setTimeLocal(entry.getTimeLocal());
                    target.putNextEntry(copy);
                    target.write(isOld(jar, entry) ? upgrade(tool, bytes) : bytes);
                    target.closeEntry();
                }
            }
        }
        Files.move(upgraded, path, StandardCopyOption.REPLACE_EXISTING);
    }

    private static boolean isOld(JarFile jar, JarEntry entry) {
        return entry.getName().endsWith(".class")
                && ClassFile.of().parse(read(jar, entry)).majorVersion() < ClassFile.JAVA_6_VERSION;
    }

    private static byte[] upgrade(ClassFile tool, byte[] bytes) {
        ClassModel model = tool.parse(bytes);
        ClassTransform version = (builder, element) -> {
            if (element instanceof ClassFileVersion) {
                builder.withVersion(ClassFile.JAVA_8_VERSION, 0);
            } else {
                builder.with(element);
            }
        };
        // Stack maps are made only for code that is put together anew, so each instruction is taken in hand.
        ClassTransform code = ClassTransform.transformingMethodBodies((builder, element) -> builder.with(element));
        return tool.transformClass(model, version.andThen(code));
    }

    private static InputStream open(JarFile jar, ClassDesc name) {
        String descriptor = name.descriptorString();
        JarEntry entry = jar.getJarEntry(descriptor.substring(1, descriptor.length() - 1) + ".class");
        try {
            return entry == null ? null : jar.getInputStream(entry);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] read(JarFile jar, JarEntry entry) {
        try (InputStream bytes = jar.getInputStream(entry)) {
            return bytes.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
